import type { DecisionRecord } from '@sluice/contracts';
import type { AttributeValue, Span } from '@sluice/telemetry';

/** So many of the cheapest have an event each; the record of the decision has all of them. */
const MOST = 16;

/** A span event for each candidate of a decision with its terms, cheapest first, and for the chosen one in any case. */
export function addCandidates(span: Span, decision: DecisionRecord | null, atMs: number): void {
  if (decision === null) return;
  const { candidates, worker, unit } = decision;
  const byCost = [...candidates].sort((a, b) => (a.cost ?? Infinity) - (b.cost ?? Infinity));
  const shown = byCost.slice(0, MOST);
  const chosen = byCost.find((candidate) => candidate.worker === worker);
  if (chosen !== undefined && !shown.includes(chosen)) shown.push(chosen);
  span.set({
    'sluice.decision.id': decision.id,
    'sluice.decision.policy': decision.basis,
    'sluice.decision.unit': unit,
    'sluice.decision.worker': worker,
    'sluice.decision.candidates': candidates.length,
    'sluice.decision.candidates_shown': shown.length,
    'sluice.prompt.tokens': decision.promptTokens,
    'sluice.expected.output_tokens': decision.expectedOutputTokens,
  });
  for (const candidate of shown) {
    const attributes: Record<string, AttributeValue | undefined> = {
      'sluice.worker': candidate.worker,
      'sluice.chosen': candidate.worker === worker || undefined,
      'sluice.up': candidate.up ? undefined : false,
      'sluice.kept_for_others': candidate.keptForOthers || undefined,
      'sluice.cost': candidate.cost ?? undefined,
      'sluice.cached_tokens': candidate.cachedTokens ?? undefined,
      'sluice.predicted.ttft_ms': candidate.predictedTtftMs ?? undefined,
      'sluice.predicted.tpot_ms': candidate.predictedTpotMs ?? undefined,
      'sluice.inflight_requests': candidate.inflightRequests ?? undefined,
      'sluice.queued_prefill_tokens': candidate.queuedPrefillTokens ?? undefined,
      'sluice.kv_usage': candidate.kvUsage ?? undefined,
    };
    // most terms of most candidates are zero: what is not there is
    for (const name in candidate.terms) {
      const value = candidate.terms[name];
      if (value) attributes[`sluice.term.${name}`] = value;
    }
    span.event('candidate', atMs, attributes);
  }
}
