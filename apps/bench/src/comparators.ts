import { ALL_ARMS, EXPECTED, ORACLE } from './arms.ts';
import { E2E_P99_S, geometricMean, meanOf, runsOf, TTFT_MEAN_S, TTFT_P99_S } from './intervals.ts';
import type { Metric } from './intervals.ts';
import type { Claim } from './part.ts';
import type { RunOutcome } from './run-scenario.ts';

const METRICS: readonly (readonly [name: string, metric: Metric])[] = [
  ['ttft-mean', TTFT_MEAN_S],
  ['ttft-p99', TTFT_P99_S],
  ['e2e-p99', E2E_P99_S],
];

/** One scenario: `expected-latency`, or a variant of it, against the best policy that a user could choose there, by one metric. */
export interface Comparison {
  readonly scenario: string;
  readonly metric: string;
  readonly own: number | null;
  readonly best: string;
  readonly bestValue: number;
  /** Own over best; null when own is infinite. */
  readonly ratio: number | null;
  /** Own over the oracle's. */
  readonly toOracle: number | null;
}

/** `ownLabel` against the best comparator of each scenario, which no single policy is. Means over seeds. */
export function compareToBest(runs: readonly RunOutcome[], ownLabel = EXPECTED.label): Comparison[] {
  const comparisons: Comparison[] = [];
  for (const scenario of new Set(runs.map((run) => run.scenario))) {
    for (const [name, metric] of METRICS) {
      const of = (label: string): number | null => meanOf(runsOf(runs, scenario, label), metric);
      const own = of(ownLabel);
      const oracle = of(ORACLE.label);
      let [best, bestValue] = ['', Infinity];
      for (const { label } of ALL_ARMS) {
        if (label === EXPECTED.label || label === ORACLE.label) continue;
        const value = of(label);
        if (value !== null && value < bestValue) [best, bestValue] = [label, value];
      }
      if (best === '') continue;
      const ratio = own === null ? null : own / bestValue;
      const toOracle = own === null || oracle === null ? null : own / oracle;
      comparisons.push({ scenario, metric: name, own, best, bestValue, ratio, toOracle });
    }
  }
  return comparisons;
}

/** Geometric mean and worst ratio to the best comparator for each metric; a policy that failed counts as a thousandfold. */
export function comparatorClaims(part: string, comparisons: readonly Comparison[]): Claim[] {
  return METRICS.flatMap(([name]) => {
    const own = comparisons.filter(({ metric }) => metric === name);
    if (own.length === 0) return [];
    const ratios = own.map(({ ratio }) => ratio ?? 1000);
    const worst = own[ratios.indexOf(Math.max(...ratios))]!;
    return [
      { id: `${part}-${name}-vs-best`, value: round(geometricMean(ratios)), unit: 'x, geometric mean' },
      { id: `${part}-${name}-vs-best-worst`, value: round(Math.max(...ratios)), unit: `x, at ${worst.scenario}` },
    ];
  });
}

/** Geometric mean of p99 TTFT of each single policy over that of `expected-latency`: no one policy is best everywhere. */
export function againstEach(runs: readonly RunOutcome[]): { policy: string; ratio: number | null }[] {
  const scenarios = [...new Set(runs.map((run) => run.scenario))];
  return ALL_ARMS.filter(({ label }) => runs.some(({ arm }) => arm === label)).map(({ label }) => {
    const ratios = scenarios.map((scenario) => {
      const [own, other] = [EXPECTED.label, label].map((arm) => meanOf(runsOf(runs, scenario, arm), TTFT_P99_S));
      return own === null || own === undefined || other === null || other === undefined ? null : other / own;
    });
    const finite = ratios.filter((ratio) => ratio !== null);
    return { policy: label, ratio: finite.length === 0 ? null : round(geometricMean(finite)) };
  });
}

const round = (value: number): number => Number(value.toFixed(3));
