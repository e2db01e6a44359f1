import type { DecisionOutcome, DecisionRecord } from '@sluice/contracts';
import { count, difference, duration } from '../format.ts';
import { chosenOf } from '../why/cost-bars.ts';
import { Fact } from './worker-panel.tsx';

/** What came of a decision, beside what it had expected. */
export function Happened({ decision }: { decision: DecisionRecord }) {
  const { outcome } = decision;
  const chosen = chosenOf(decision);
  if (outcome === null) {
    return (
      <div class="block">
        <h3>What happened</h3>
        <p class="soft">
          {decision.followedBy === null
            ? `In flight. ${duration(chosen?.predictedTtftMs ?? null)} to its first token are predicted.`
            : 'It was held here, and moved on before it was sent.'}
        </p>
      </div>
    );
  }
  const { result, status, cause, cachedTokens, outputTokens, ttftMs, tpotMs, e2eMs, heldMs, ttftErrorMs } = outcome;
  const predicted = chosen?.predictedTtftMs ?? null;
  return (
    <div class="block">
      <h3>What happened</h3>
      <Timeline outcome={outcome} predictedTtftMs={predicted} />
      <dl class="facts across">
        <Fact name="Result">
          <span class={result === 'completed' ? 'good' : 'bad'}>
            {result}
            {status !== null && ` ${status}`}
          </span>
          {cause !== null && <span class="soft"> {cause}</span>}
        </Fact>
        <Fact name="TTFT">
          {duration(ttftMs)} <small>predicted {duration(predicted)}</small>
        </Fact>
        <Fact name="Error of the prediction">{difference(ttftErrorMs)}</Fact>
        <Fact name="Cached tokens">
          {count(cachedTokens)}{' '}
          <small>predicted {count(chosen === null ? null : Math.round(chosen.cachedTokens ?? 0))}</small>
        </Fact>
        <Fact name="Output">
          {count(outputTokens)} tokens{tpotMs !== null && <small> at {duration(tpotMs)} each</small>}
        </Fact>
        <Fact name="Total">
          {duration(e2eMs)}
          {heldMs >= 1 && <small> after {duration(heldMs)} held</small>}
        </Fact>
      </dl>
    </div>
  );
}

/** Held, then until the first token, then until the end: to one scale, with a mark where the first token was predicted. */
function Timeline({ outcome, predictedTtftMs }: { outcome: DecisionOutcome; predictedTtftMs: number | null }) {
  const { heldMs, ttftMs, e2eMs } = outcome;
  const wholeMs = Math.max(heldMs + e2eMs, predictedTtftMs ?? 0, 1);
  const width = (ms: number): string => `${(100 * ms) / wholeMs}%`;
  const parts = [
    ['held', 'held', heldMs],
    ['first', 'to the first token', ttftMs ?? e2eMs],
    ['rest', 'output', ttftMs === null ? 0 : e2eMs - ttftMs],
  ] as const;
  const shown = parts.filter(([, , ms]) => ms >= 1);
  return (
    <div class="timeline">
      <div class="timeline-bar">
        {shown.map(([kind, label, ms]) => (
          <span class={`part ${kind}`} style={{ width: width(ms) }} title={`${label}: ${duration(ms)}`} key={kind} />
        ))}
        {predictedTtftMs !== null && (
          <span
            class="predicted"
            style={{ left: width(predictedTtftMs) }}
            title={`first token predicted: ${duration(predictedTtftMs)}`}
          />
        )}
      </div>
      <div class="timeline-legend">
        {shown.map(([kind, label, ms]) => (
          <span key={kind}>
            <i class={`part ${kind}`} /> {label} {duration(ms)}
          </span>
        ))}
        {predictedTtftMs !== null && (
          <span>
            <i class="predicted" /> first token predicted
          </span>
        )}
      </div>
    </div>
  );
}
