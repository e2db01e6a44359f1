/** Reuse on Mooncake conversation at the capacity that Dynamo's own simulator was run with. See docs/benchmarks.md. */
import { DYNAMO, DYNAMO_TUNED, EXPECTED, RANDOM } from './arms.ts';
import { cell, meanOf, runsOf, TTFT_MEAN_S, TTFT_P99_S } from './intervals.ts';
import type { Metric } from './intervals.ts';
import { runPart } from './part.ts';
import { DYNAMO_REUSE } from './published.ts';
import { markdown } from './table.ts';

const SCENARIO = 'dynamo';
const ROUND_ROBIN = { label: 'round-robin', policy: 'round-robin' } as const;
const ARMS = [ROUND_ROBIN, RANDOM, DYNAMO, DYNAMO_TUNED, EXPECTED];
const REUSE: Metric = ({ cachedTokenShare }) => cachedTokenShare;
const WITHIN = 0.15;

await runPart(process, async ({ run }) => {
  const runs = await run([SCENARIO], ARMS);
  const reuse = (label: string): number => meanOf(runsOf(runs, SCENARIO, label), REUSE) ?? 0;
  const [roundRobin, dynamo] = [reuse(ROUND_ROBIN.label), reuse(DYNAMO.label)];
  const off = roundRobin / DYNAMO_REUSE.roundRobin;
  const rows = ARMS.map(({ label }) => {
    const own = runsOf(runs, SCENARIO, label);
    return [label, cell(own, REUSE), cell(own, TTFT_MEAN_S), cell(own, TTFT_P99_S)];
  });
  return {
    claims: [
      {
        id: 'dynamo-round-robin-reuse',
        value: Number(roundRobin.toFixed(4)),
        unit: 'of prompt tokens',
        bar: `${DYNAMO_REUSE.roundRobin} +-15 %`,
        met: Math.abs(off - 1) <= WITHIN,
      },
      {
        id: 'dynamo-kv-reuse',
        value: Number(dynamo.toFixed(4)),
        unit: 'of prompt tokens',
        bar: `>= ${DYNAMO_REUSE.kvRouter}`,
        met: dynamo >= DYNAMO_REUSE.kvRouter,
      },
    ],
    tables: { dynamo: markdown(['policy', 'reuse', 'TTFT mean s', 'p99'], rows) },
    data: null,
  };
});
