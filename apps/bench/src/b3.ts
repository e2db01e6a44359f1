import { ALL_ARMS } from './arms.ts';
import { againstEach, comparatorClaims, compareToBest } from './comparators.ts';
import { meanOf, runsOf, TTFT_MEAN_S, TTFT_P99_S } from './intervals.ts';
import type { Metric } from './intervals.ts';
import type { PartContext, PartResult } from './part.ts';
import type { KvSize } from './scenario.ts';
import { policyTable } from './table.ts';

const SPEEDS = [1, 1.5, 2, 2.5] as const;
const CAPTURED: Metric = ({ capturedReuse }) => (capturedReuse === null ? null : 100 * capturedReuse);

/** B3: Mooncake conversation at rising speed, engines with one size of KV cache. */
export async function mooncake(kv: KvSize, { run, smoke }: PartContext): Promise<PartResult> {
  const scenarios = (smoke ? SPEEDS.slice(0, 1) : SPEEDS).map(
    (speed) => [`conversation:${speed}:${kv}`, `${speed}x`] as const,
  );
  const runs = await run(
    scenarios.map(([id]) => id),
    ALL_ARMS,
  );
  const comparisons = compareToBest(runs);
  const part = `b3-${kv.toLowerCase()}`;
  const captured = scenarios.map(([id]) => meanOf(runsOf(runs, id, 'expected-latency'), CAPTURED));
  return {
    claims: comparatorClaims(part, comparisons),
    tables: {
      [part]: policyTable(runs, ALL_ARMS, scenarios, [TTFT_MEAN_S, TTFT_P99_S]),
      [`${part}-captured`]: policyTable(runs, ALL_ARMS, scenarios, [CAPTURED]),
    },
    data: { comparisons, captured, againstEach: againstEach(runs) },
  };
}
