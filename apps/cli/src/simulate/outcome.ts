import type { PolicyId } from '@sluice/routing';
import type { SimulatedRequest, TwinResult, TwinTimelines } from '@sluice/twin';
import { histogramOf } from './latency-histogram.ts';
import type { LatencyHistogram } from './latency-histogram.ts';

/** What the report draws of a run, small enough to keep hundreds of them. */
export interface RunDetails {
  readonly ttft: LatencyHistogram;
  readonly tpot: LatencyHistogram;
  readonly e2e: LatencyHistogram;
  /** Prompt tokens that each engine was sent, over the mean of all engines (measured requests); all 0 when there were none. */
  readonly work: readonly number[];
  /** Of the first seed only. */
  readonly timelines: TwinTimelines | null;
}

/** One run: a load, a policy and a seed. */
export interface RunOutcome {
  /** Requests per second, or times the speed of the trace. */
  readonly load: number;
  readonly policy: PolicyId;
  readonly seed: number;
  readonly result: TwinResult;
  /** Null when no report was asked for. */
  readonly details: RunDetails | null;
}

/** Most samples of a timeline that a chart has room for. */
const MOST_SAMPLES = 200;

/** Takes what the report draws out of a result that was made with `keepRecords`. */
export function detailsOf(
  result: TwinResult,
  requests: readonly SimulatedRequest[],
  engines: number,
  warmUpMs: number,
): RunDetails {
  const { records, timelines } = result;
  if (records === undefined) throw new RangeError('details need a result with records');
  const measured = requests.flatMap(({ arrivalMs }, index) => (arrivalMs >= warmUpMs ? [index] : []));
  const pick = (values: Float64Array): LatencyHistogram => histogramOf(measured.map((index) => values[index]!));
  const work = new Float64Array(engines);
  let total = 0;
  for (const index of measured) {
    const engine = records.engine[index]!;
    if (engine < 0) continue;
    work[engine]! += requests[index]!.promptTokens;
    total += requests[index]!.promptTokens;
  }
  return {
    ttft: pick(records.ttftMs),
    tpot: pick(records.tpotMs),
    e2e: pick(records.e2eMs),
    work: Array.from(work, (tokens) => (total > 0 ? (tokens * engines) / total : 0)),
    timelines: timelines === undefined ? null : thinned(timelines),
  };
}

/** Every n-th sample, so that the drain of an overloaded run does not make the report large. */
function thinned({ timesMs, engines }: TwinTimelines): TwinTimelines {
  const stride = Math.ceil(timesMs.length / MOST_SAMPLES);
  const every = <T>(values: readonly T[]): T[] => values.filter((_, index) => index % stride === 0);
  return {
    timesMs: every(timesMs),
    engines: engines.map(({ running, waiting, kvUsage, cachedShare }) => ({
      running: every(running),
      waiting: every(waiting),
      kvUsage: every(kvUsage),
      cachedShare: every(cachedShare),
    })),
  };
}
