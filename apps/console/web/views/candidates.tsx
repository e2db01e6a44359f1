import type { DecisionCandidate, DecisionRecord } from '@sluice/contracts';
import { useState } from 'preact/hooks';
import { count, duration, percent } from '../format.ts';
import { VirtualList } from '../parts/virtual-list.tsx';
import { costBars, termsOf } from '../why/cost-bars.ts';
import type { CostBar } from '../why/cost-bars.ts';
import { labelOf, meaningOf, toneOf } from '../why/terms.ts';
import { costText } from '../why/verdict.ts';

/** Candidates that are shown unless all are asked for. */
const MOST = 10;
const ROW = 30;

/** Every candidate with what its cost is made of, cheapest first. */
export function Candidates({ decision, tried }: { decision: DecisionRecord; tried: ReadonlySet<string> }) {
  const [all, setAll] = useState(false);
  const { scale, bars } = costBars(decision, tried);
  const terms = termsOf(decision);
  const shown = all ? bars : shortList(bars);
  const unit = decision.unit === 'ms' ? 'in milliseconds' : `in ${decision.unit}`;
  return (
    <div class="block candidates">
      <div class="block-head">
        <h3>What each worker would have cost</h3>
        <span class="note">
          {unit}
          {scale > 0 && `, full width ${costText(scale, decision.unit)}`}
        </span>
        {bars.length > MOST && (
          <button type="button" onClick={() => setAll(!all)} aria-pressed={all}>
            {all ? 'Show the cheapest' : `Show all ${count(bars.length)}`}
          </button>
        )}
      </div>
      <div class="legend">
        {terms.map((term, place) => (
          <span title={meaningOf(term)} key={term}>
            <i class={toneOf(place)} /> {labelOf(term)}
          </span>
        ))}
      </div>
      {all ? (
        <VirtualList
          label="Candidates"
          class="all-candidates"
          count={bars.length}
          rowHeight={ROW}
          renderRow={(index) => (
            <Bar bar={bars[index]!} decision={decision} terms={terms} key={bars[index]!.candidate.worker} />
          )}
        />
      ) : (
        shown.map((bar) => <Bar bar={bar} decision={decision} terms={terms} key={bar.candidate.worker} />)
      )}
      <h3 class="known-head">What was known of them</h3>
      <div class="scroll-x">
        <Known candidates={shortList(bars).map(({ candidate }) => candidate)} chosen={decision.worker} />
      </div>
    </div>
  );
}

/** The cheapest, and the chosen one wherever it is. */
function shortList(bars: readonly CostBar[]): readonly CostBar[] {
  if (bars.length <= MOST) return bars;
  const first = bars.slice(0, MOST);
  const chosen = bars.find(({ marks }) => marks.includes('chosen'));
  return chosen === undefined || first.includes(chosen) ? first : [...first.slice(0, -1), chosen];
}

function Bar({ bar, decision, terms }: { bar: CostBar; decision: DecisionRecord; terms: readonly string[] }) {
  const { candidate, marks, segments, isCut } = bar;
  const isChosen = marks.includes('chosen');
  return (
    <div class={`cost-row ${isChosen ? 'chosen' : ''} ${candidate.cost === null ? 'out' : ''}`}>
      <span class="name" title={candidate.worker}>
        {candidate.worker}
      </span>
      <span class="number">{costText(candidate.cost, decision.unit)}</span>
      <span class={`cost-bar ${isCut ? 'cut' : ''}`}>
        {segments.map(({ term, value, from, to }) => (
          <i
            class={toneOf(terms.indexOf(term))}
            style={{ left: `${from * 100}%`, width: `${(to - from) * 100}%` }}
            title={`${labelOf(term)}: ${costText(value, decision.unit)}`}
            key={term}
          />
        ))}
      </span>
      <span class="marks">
        {marks.map((mark) => (
          <span class={`mark-${mark.replaceAll(' ', '-')}`} key={mark}>
            {mark}
          </span>
        ))}
      </span>
    </div>
  );
}

const COLUMNS: readonly (readonly [label: string, textOf: (candidate: DecisionCandidate) => string])[] = [
  ['Cached', ({ cachedTokens }) => count(cachedTokens === null ? null : Math.round(cachedTokens))],
  ['TTFT', ({ predictedTtftMs }) => duration(predictedTtftMs)],
  ['TPOT', ({ predictedTpotMs }) => duration(predictedTpotMs)],
  ['In flight', ({ inflightRequests }) => count(inflightRequests)],
  [
    'Queued tok',
    ({ queuedPrefillTokens }) => count(queuedPrefillTokens === null ? null : Math.round(queuedPrefillTokens)),
  ],
  ['Decodes', ({ decodesRunning }) => count(decodesRunning)],
  ['Waiting', ({ waitingRequests }) => count(waitingRequests)],
  ['KV use', ({ kvUsage }) => percent(kvUsage)],
  ['Read', ({ signalAgeMs }) => (signalAgeMs === null ? 'never' : duration(Math.round(signalAgeMs)))],
];

const Known = ({ candidates, chosen }: { candidates: readonly DecisionCandidate[]; chosen: string }) => (
  <table class="plain-table">
    <thead>
      <tr>
        <th>Worker</th>
        {COLUMNS.map(([label]) => (
          <th class="number" key={label}>
            {label}
          </th>
        ))}
      </tr>
    </thead>
    <tbody>
      {candidates.map((candidate) => (
        <tr class={candidate.worker === chosen ? 'chosen' : ''} key={candidate.worker}>
          <td>{candidate.worker}</td>
          {COLUMNS.map(([label, textOf]) => (
            <td class="number" key={label}>
              {textOf(candidate)}
            </td>
          ))}
        </tr>
      ))}
    </tbody>
  </table>
);
