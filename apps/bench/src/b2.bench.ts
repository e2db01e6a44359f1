/** B2: the published B2B ladder, every policy, with the time of the API. See docs/benchmarks.md. */
import { ALL_ARMS, EXPECTED, RANDOM } from './arms.ts';
import { cell, meanOf, runsOf, TPOT_MS, TTFT_MEAN_S, TTFT_P90_S, TTFT_P99_S } from './intervals.ts';
import type { Metric } from './intervals.ts';
import { runPart } from './part.ts';
import type { Claim } from './part.ts';
import { markdown } from './table.ts';

const LADDER = 'ladder:b2b';
const OUTPUT: Metric = ({ outputTokensPerS }) => outputTokensPerS;
const CACHED: Metric = ({ cachedTokenShare }) => 100 * cachedTokenShare;
const COLUMNS: readonly (readonly [string, Metric])[] = [
  ['TTFT mean s', TTFT_MEAN_S],
  ['p90', TTFT_P90_S],
  ['p99', TTFT_P99_S],
  ['TPOT ms', TPOT_MS],
  ['out tok/s', OUTPUT],
  ['cached %', CACHED],
  ['imbalance', ({ imbalance }) => imbalance],
  ['preempted', ({ preemptions }) => preemptions],
];

await runPart(process, async ({ run }) => {
  const runs = await run([LADDER], ALL_ARMS);
  const of = (label: string, metric: Metric): number => meanOf(runsOf(runs, LADDER, label), metric) ?? Infinity;
  const claim = (id: string, value: number, unit: string, bar: number, least = false): Claim => ({
    id,
    value: Number(value.toPrecision(4)),
    unit,
    bar: `${least ? '>=' : '<='} ${bar}`,
    met: least ? value >= bar : value <= bar,
  });
  const ran = ALL_ARMS.filter(({ label }) => runs.some(({ arm }) => arm === label));
  const rows = ran.map(({ label }) => [
    label,
    ...COLUMNS.map(([, metric]) => cell(runsOf(runs, LADDER, label), metric)),
  ]);
  return {
    claims: [
      claim('b2-ttft-mean', of(EXPECTED.label, TTFT_MEAN_S), 's', 0.25),
      claim('b2-ttft-p90', of(EXPECTED.label, TTFT_P90_S), 's', 0.3),
      claim('b2-output-vs-random', of(EXPECTED.label, OUTPUT) / of(RANDOM.label, OUTPUT), 'x', 1.9, true),
    ].filter(({ value }) => value > 0 && value < Infinity),
    tables: { b2: markdown(['policy', ...COLUMNS.map(([head]) => head)], rows) },
    data: null,
  };
});
