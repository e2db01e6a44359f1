/** B5, second half: late events, lost events, several routers. See docs/benchmarks.md. */
import { EXPECTED, STICKY_40K, WEIGHTED_322 } from './arms.ts';
import { pairedRatio, runsOf, TTFT_MEAN_S, TTFT_P99_S } from './intervals.ts';
import type { Metric } from './intervals.ts';
import { runPart } from './part.ts';
import type { Claim } from './part.ts';
import { policyTable } from './table.ts';

/** Only policies that read the index or the ledger mind. */
const ARMS = [EXPECTED, WEIGHTED_322, STICKY_40K];
const QPS = 10;
const scenario = (kind: string, ...args: readonly (string | number)[]): string => [kind, QPS, ...args].join(':');
const BASE = scenario('lag', 0);
const LAGS = [
  [BASE, '0'],
  [scenario('lag', 100), '0.1 s'],
  [scenario('lag', 500), '0.5 s'],
  [scenario('lag', 2000), '2 s'],
] as const;
const LOST = [
  [scenario('lost', 0.001), '0.1 %'],
  [scenario('lost', 0.01), '1 %'],
] as const;
const ONE = scenario('routers', 1, 'none');
const ROUTERS = [
  [ONE, '1'],
  [scenario('routers', 2, 'none'), '2'],
  [scenario('routers', 2, 'ledgers'), '2, shared'],
  [scenario('routers', 4, 'none'), '4'],
  [scenario('routers', 4, 'ledgers'), '4, shared'],
] as const;
/** No cliff: at most so many times as late as without the trouble. */
const CLIFF = 2;
const IMBALANCE: Metric = ({ imbalance }) => imbalance;

await runPart(process, async ({ run, smoke }) => {
  const ids = [...LAGS, ...LOST, ...ROUTERS].map(([id]) => id);
  const runs = await run(smoke ? [BASE, LOST[1][0], ROUTERS[4][0]] : ids, ARMS);
  const claim = (id: string, trouble: string, base: string, bar: number): Claim[] => {
    const of = (scenario: string) => runsOf(runs, scenario, EXPECTED.label);
    const ratio = pairedRatio(of(trouble), of(base), TTFT_P99_S);
    if (ratio === null) return [];
    const unit = `x (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)})`;
    return [{ id, value: Number(ratio.mean.toFixed(3)), unit, bar: `<= ${bar}`, met: ratio.mean <= bar }];
  };
  return {
    claims: [
      ...claim('b5-lag-2s-p99', LAGS[3][0], BASE, CLIFF),
      ...claim('b5-lost-1-percent-p99', LOST[1][0], BASE, CLIFF),
      ...claim('b5-4-routers-shared-p99', ROUTERS[4][0], ONE, 1.1),
    ],
    tables: {
      'b5-lag': policyTable(runs, ARMS, LAGS, [TTFT_MEAN_S, TTFT_P99_S]),
      'b5-lost': policyTable(runs, ARMS, LOST, [TTFT_MEAN_S, TTFT_P99_S]),
      'b5-routers': policyTable(runs, ARMS, ROUTERS, [TTFT_MEAN_S, TTFT_P99_S, IMBALANCE]),
    },
    data: null,
  };
});
