/** B4: loads without much to share, where routing by prefix has nothing to gain and must not lose. See docs/benchmarks.md. */
import { ALL_ARMS, EXPECTED, LEAST_REQUEST } from './arms.ts';
import { againstEach, comparatorClaims, compareToBest } from './comparators.ts';
import { E2E_P99_S, meanOf, runsOf, TTFT_MEAN_S, TTFT_P99_S } from './intervals.ts';
import { runPart } from './part.ts';
import type { Claim } from './part.ts';
import { policyTable } from './table.ts';

const SCENARIOS = [
  ['azure-code:8', 'Azure code 8x'],
  ['reasoning:3', 'reasoning 3 QPS'],
  ['reasoning:4', 'reasoning 4 QPS'],
  ['sharegpt:1', 'ShareGPT 10 QPS'],
  ['chat:14', 'chat 14 QPS'],
  ['agents:9', 'coding agents 9 QPS'],
  ['documents:6', 'documents 6 QPS'],
] as const;
/** The first four share nothing, or nearly nothing: there the simple policies are hard to beat. */
const NO_PREFIX = SCENARIOS.slice(0, 4);

await runPart(process, async ({ run, smoke }) => {
  const ids = SCENARIOS.map(([id]) => id);
  const runs = await run(smoke ? ids.filter((_, i) => i % 2 === 0) : ids, ALL_ARMS);
  const comparisons = compareToBest(runs);
  const claims = NO_PREFIX.flatMap(([id]): Claim[] => {
    const [own, ...simple] = [EXPECTED.label, LEAST_REQUEST.label, 'round-robin'].map((label) =>
      meanOf(runsOf(runs, id, label), TTFT_P99_S),
    );
    if (own === undefined || own === null || simple.includes(null)) return [];
    const value = Number((own / Math.min(...(simple as number[]))).toFixed(3));
    return [
      {
        id: `b4-${id}-p99-vs-simple`,
        value,
        unit: 'x best of RR and least-request',
        bar: '<= 1.05',
        met: value <= 1.05,
      },
    ];
  });
  return {
    claims: [...claims, ...comparatorClaims('b4', comparisons)],
    tables: {
      b4: policyTable(runs, ALL_ARMS, SCENARIOS, [TTFT_MEAN_S, TTFT_P99_S]),
      'b4-e2e': policyTable(runs, ALL_ARMS, SCENARIOS, [E2E_P99_S]),
    },
    data: { comparisons, againstEach: againstEach(runs) },
  };
});
