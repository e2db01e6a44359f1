import type { AttributeValue, Span } from '@sluice/telemetry';
import type { DecisionLog } from '../decision/decision-log.ts';

/** So many of the cheapest have an event each; the record of the decision has all of them. */
const MOST = 16;

/** A span event for each candidate of a decision with its terms, cheapest first, and for the chosen one in any case. */
export function addCandidates(span: Span, decisions: DecisionLog, id: string, atMs: number): void {
  const decision = decisions.brief(id, MOST);
  if (decision === null) return;
  const { record, of } = decision;
  const { candidates, worker, unit } = record;
  span.set({
    'sluice.decision.id': id,
    'sluice.decision.policy': record.basis,
    'sluice.decision.unit': unit,
    'sluice.decision.worker': worker,
    'sluice.decision.candidates': of,
    'sluice.decision.candidates_shown': candidates.length,
    'sluice.prompt.tokens': record.promptTokens,
    'sluice.expected.output_tokens': record.expectedOutputTokens,
  });
  for (const candidate of candidates) {
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
