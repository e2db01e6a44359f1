/**
 * How well TPOT could be predicted at best: the same request, sent into the same state of the fleet and as long as it
 * is, with other requests after it. What a predictor does not know of those is error, however good it is. Long: a run of
 * the twin for every future of every moment.
 */
import { fileURLToPath } from 'node:url';
import { seededRng } from '@sluice/numerics';
import { runTwin } from '@sluice/twin';
import type { SimulatedRequest } from '@sluice/twin';
import { afterAlikeMoments, between, leastErrors, otherPrompts } from './prediction-floor.ts';
import type { Future } from './prediction-floor.ts';
import { MissingTrace, scenarioOf } from './scenario.ts';
import type { Load, Scenario } from './scenario.ts';
import { markdown } from './table.ts';

interface Subject {
  readonly id: string;
  readonly future: Future;
  /** Judged are requests sent so shortly before the future begins. */
  readonly judgedMs: number;
  /** Until the last of them has ended. */
  readonly futureMs: number;
  readonly moments: number;
}

const SUBJECTS: readonly Subject[] = [
  { id: 'conversation:1:307k', future: 'other-prompts', judgedMs: 3000, futureMs: 60_000, moments: 6 },
  { id: 'conversation:2:307k', future: 'other-prompts', judgedMs: 3000, futureMs: 60_000, moments: 6 },
  { id: 'azure-code:8', future: 'alike-moment', judgedMs: 300, futureMs: 20_000, moments: 40 },
];
const SEED = 1;
/** As in the prediction suite. */
const FEWEST_TOKENS = 4;
const smoke = process.argv.includes('--smoke');
/** Shares of the run between which moments lie: caches are warm, and what comes before each is run again for every future. */
const [FIRST, LAST] = [0.15, 0.45];
const FUTURES = smoke ? 2 : 5;
const traces = process.env['SLUICE_TRACES'] ?? fileURLToPath(new URL('../../../../shared/traces', import.meta.url));

/** Errors of all requests sent just before one moment. */
function errorsAt(
  subject: Subject,
  scenario: Scenario,
  requests: readonly SimulatedRequest[],
  cutMs: number,
): number[] {
  const { future, futureMs, judgedMs } = subject;
  const rng = seededRng(cutMs);
  const futures =
    future === 'alike-moment'
      ? afterAlikeMoments(requests, cutMs, futureMs, FUTURES)
      : Array.from({ length: FUTURES }, () => otherPrompts(requests, cutMs, futureMs, rng));
  const before = between(requests, -Infinity, cutMs);
  const outcomes = new Map<string, number[]>();
  for (const after of futures) {
    runTwin({
      ...scenario.options,
      engines: scenario.engines,
      requests: [...before, ...after],
      policy: 'expected-latency',
      seed: SEED,
      latency: 'learned',
      onOutcome: (row, { tpotMs, outputTokens }, sentMs) => {
        if (sentMs <= cutMs - judgedMs || sentMs > cutMs || tpotMs === null || outputTokens < FEWEST_TOKENS) return;
        const key = `${row} ${sentMs}`;
        outcomes.set(key, [...(outcomes.get(key) ?? []), tpotMs]);
      },
    });
  }
  return [...outcomes.values()].filter(({ length }) => length === FUTURES).flatMap(leastErrors);
}

const rows: string[][] = [];
const data: Record<string, unknown> = {};
for (const subject of smoke ? SUBJECTS.slice(2) : SUBJECTS) {
  const { id, future } = subject;
  const moments = smoke ? 1 : subject.moments;
  const scenario = scenarioOf(id, { traces, smoke: false });
  const load: Load | null = await Promise.resolve(scenario.load(SEED)).catch((error: unknown) => {
    if (error instanceof MissingTrace) return null;
    throw error;
  });
  if (load === null) {
    process.stderr.write(`left out, no trace for ${id}\n`);
    continue;
  }
  const { requests } = load;
  const lastMs = requests.at(-1)!.arrivalMs;
  const errors: number[] = [];
  for (let moment = 0; moment < moments; moment++) {
    const cutMs = lastMs * (FIRST + ((LAST - FIRST) * (moment + 0.5)) / moments);
    errors.push(...errorsAt(subject, scenario, requests, cutMs));
    process.stderr.write(`${id}: ${moment + 1} of ${moments} moments\n`);
  }
  const count = errors.length / FUTURES;
  const mape = (100 * errors.reduce((sum, error) => sum + error, 0)) / errors.length;
  const known = future === 'other-prompts' ? 'how long they answer, and when others come' : 'how long they answer';
  rows.push([id, String(count), known, mape.toFixed(1)]);
  data[id] = { requests: count, mape };
}
const tables = { 'prediction-floor': markdown(['load', 'requests', 'known beforehand', 'TPOT MAPE % at best'], rows) };
console.log(JSON.stringify({ suite: 'routing', claims: [], tables: smoke ? {} : tables, data }));
