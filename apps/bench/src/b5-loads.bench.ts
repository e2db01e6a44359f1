/** B5, first half: loads and fleets made to hurt. See docs/benchmarks.md. */
import { ALL_ARMS, EXPECTED } from './arms.ts';
import { againstEach, comparatorClaims, compareToBest } from './comparators.ts';
import { meanOf, runsOf, TTFT_MEAN_S, TTFT_P90_S, TTFT_P99_S } from './intervals.ts';
import type { Metric } from './intervals.ts';
import { runPart } from './part.ts';
import type { Claim } from './part.ts';
import { policyTable } from './table.ts';

const SCENARIOS = [
  ['first-block:12', 'shared first block'],
  ['hot-prefix:9', 'Zipf hot prefix'],
  ['cold:7', 'cold start, nothing learned'],
  ['kill:9', 'killed for 60 s'],
  ['join:12', 'eighth joins'],
  ['unequal:9', 'four half as fast'],
  ['unequal:10', 'the same, 10 QPS'],
] as const;
/** Where nothing can fail, so that means are finite. */
const UNBROKEN = SCENARIOS.filter(([id]) => id !== 'kill:9');
const IMBALANCE: Metric = ({ imbalance }) => imbalance;
const FAILED: Metric = ({ failed }) => failed;
const RECOVERY_S: Metric = ({ recoveryMs }) =>
  recoveryMs === undefined || recoveryMs === null ? null : recoveryMs / 1000;
/** Where engines are alike and there from the start. */
const BALANCED = ['first-block:12', 'hot-prefix:9', 'cold:7'];

await runPart(process, async ({ run, smoke }) => {
  const ids = SCENARIOS.map(([id]) => id);
  const runs = await run(smoke ? ids.slice(0, 4) : ids, ALL_ARMS);
  const comparisons = compareToBest(runs.filter(({ failed }) => failed === 0));
  const claims: Claim[] = [];
  for (const id of BALANCED) {
    const value = meanOf(runsOf(runs, id, EXPECTED.label), IMBALANCE);
    if (value === null) continue;
    claims.push({
      id: `b5-${id}-imbalance`,
      value: Number(value.toFixed(3)),
      unit: 'x mean',
      bar: '<= 1.3',
      met: value <= 1.3,
    });
  }
  const recovery = meanOf(runsOf(runs, 'kill:9', EXPECTED.label), RECOVERY_S);
  const recovers = recovery !== null && recovery <= 10;
  claims.push({ id: 'b5-kill-recovery', value: recovery ?? Infinity, unit: 's', bar: '<= 10', met: recovers });
  return {
    claims: [...claims, ...comparatorClaims('b5', comparisons)],
    tables: {
      b5: policyTable(runs, ALL_ARMS, UNBROKEN, [TTFT_MEAN_S, TTFT_P99_S]),
      'b5-imbalance': policyTable(runs, ALL_ARMS, SCENARIOS, [IMBALANCE]),
      'b5-recovery': policyTable(
        runs,
        ALL_ARMS,
        [['kill:9', 'failed / TTFT p90 s / s until the p99 of the others is what it was']],
        [FAILED, TTFT_P90_S, RECOVERY_S],
      ),
    },
    data: { comparisons, againstEach: againstEach(runs) },
  };
});
