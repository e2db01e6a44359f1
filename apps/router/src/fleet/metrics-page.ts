import { parseEngineMetrics } from '@sluice/engine-wire';
import type { EngineSignals } from '@sluice/engine-wire';
import type { GetOutcome } from '@sluice/upstream';
import type { Engine, Worker } from './worker.ts';

/** The metrics of every engine. */
export const WHOLE_PAGE = '/metrics';
/**
 * Only what is read here: 2 KB instead of some 60 or more, for the engine to write and for the router to read. vLLM serves
 * `/metrics` itself and everything below it by prometheus_client's own application, which takes the names of samples.
 * Engines that do not (SGLang, vLLM with several API servers) are read whole.
 */
export const SIGNALS_ONLY = `/metrics/?${[
  'vllm:num_requests_waiting',
  'vllm:num_requests_running',
  'vllm:kv_cache_usage_perc',
  'vllm:gpu_cache_usage_perc',
  'vllm:cache_config_info',
]
  .map((name) => `name[]=${name}`)
  .join('&')}`;

/** Of every rank that the page tells of; none where it does not. */
export const signalsOf = (page: GetOutcome): EngineSignals[] =>
  page.kind === 'answered' && page.status === 200 ? parseEngineMetrics(page.body) : [];

/** Of the rank that the worker is; an engine without ranks is rank 0. */
export const signalsFor = (ranks: readonly EngineSignals[], { spec }: Worker): EngineSignals | undefined =>
  ranks.find(({ rank }) => rank === (spec.dpRank ?? 0));

/** Whether there is all that decisions read of every worker of the engine. */
export function isEnough(engine: Engine, ranks: readonly EngineSignals[]): boolean {
  for (const worker of engine.workers) {
    const signals = signalsFor(ranks, worker);
    if (signals === undefined) return false;
    const { waitingRequests, runningRequests, kvUsage, blockSize, gpuBlocks } = signals;
    const read = [waitingRequests, runningRequests, kvUsage, blockSize, gpuBlocks];
    if (read.includes(null)) return false;
  }
  return true;
}
