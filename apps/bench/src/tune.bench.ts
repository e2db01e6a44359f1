/** Settings of the comparators: p99 TTFT of each on cells below and near the knee, with a seed that no table uses. */
import type { Arm } from './arms.ts';
import { geometricMean, meanOf, runsOf, short, TTFT_P99_S } from './intervals.ts';
import { runPart } from './part.ts';
import { markdown } from './table.ts';

const SEEDS = [101];
const SCENARIOS = ['unique:7', 'unique:12', 'conversation:1:307k'];
const DYNAMO = [0.5, 1, 2, 4, 8, 16].map((overlapWeight): Arm => ({
  label: `dynamo-kv, overlapWeight ${overlapWeight}`,
  policy: 'dynamo-kv',
  options: { dynamoKv: { overlapWeight } },
}));
const BOUNDED = [1.1, 1.25, 1.5, 2, 3].map((loadFactor): Arm => ({
  label: `bounded-hash, loadFactor ${loadFactor}`,
  policy: 'bounded-hash',
  options: { boundedHash: { loadFactor } },
}));
const STICKY = [0.25, 0.8].flatMap((affinityThreshold) =>
  [500, 1000, 2300, 5000, 18_000].map((maxTtftPenaltyMs): Arm => ({
    label: `sticky-until-saturated, ${affinityThreshold} and ${maxTtftPenaltyMs} ms`,
    policy: 'sticky-until-saturated',
    options: { stickyUntilSaturated: { affinityThreshold, maxTtftPenaltyMs } },
  })),
);
const WEIGHTS = [
  [3, 2, 2],
  [1, 1, 1],
  [2, 1, 1],
  [3, 1, 1],
  [3, 2, 1],
].map(([prefixWeight, queueWeight, freeKvWeight]): Arm => ({
  label: `weighted ${prefixWeight}:${queueWeight}:${freeKvWeight}`,
  policy: 'weighted-3-2-2',
  options: { weighted: { prefixWeight: prefixWeight!, queueWeight: queueWeight!, freeKvWeight: freeKvWeight! } },
}));
const FAMILIES = [DYNAMO, BOUNDED, STICKY, WEIGHTS];

await runPart(process, async ({ run, smoke }) => {
  const scenarios = smoke ? SCENARIOS.slice(0, 1) : SCENARIOS;
  const arms = FAMILIES.flat();
  const runs = await run(scenarios, smoke ? arms.slice(0, 2) : arms, smoke ? [101] : SEEDS);
  const scored = arms.map(({ label }) => {
    const values = scenarios.map((id) => meanOf(runsOf(runs, id, label), TTFT_P99_S));
    return { label, values, mean: values.includes(null) ? Infinity : geometricMean(values as number[]) };
  });
  const rows = scored.map(({ label, values, mean }) => [
    label,
    ...values.map((value) => (value === null ? '-' : short(value))),
    short(mean),
  ]);
  return { claims: [], tables: { tune: markdown(['policy', ...scenarios, 'geometric mean'], rows) }, data: scored };
});
