import type { TraceContext } from '@sluice/contracts';
import type { Tracing } from '@sluice/telemetry';
import type { Generation } from './generation.ts';

export interface FinishedRequest {
  readonly id: string;
  readonly generation: Generation;
  /** What the client asked for; null where it named none. */
  readonly maxTokens: number | null;
  /** Simulated time runs this many times faster. */
  readonly speed: number;
  /** performance.now() of the last token. */
  readonly endedMs: number;
}

/**
 * The one span that vLLM makes of a request, when it is finished: its name, kind and attributes (vllm/tracing/utils.py
 * and OutputProcessor.do_tracing of 0.32), durations in seconds.
 */
export function recordRequestSpan(tracing: Tracing, parent: TraceContext | null, request: FinishedRequest): void {
  const { generation, speed, endedMs } = request;
  const { progress, arrivedMs, firstTokenMs } = generation;
  if (!tracing.isOn || progress === null || firstTokenMs === null) return;
  // The engine's clock is the wall clock times the speed.
  const queuedMs = progress.submittedMs / speed;
  const scheduledMs = (progress.scheduledMs ?? progress.submittedMs) / speed;
  const span = tracing.start('llm_request', parent, { kind: 'server', startMs: arrivedMs });
  if (!span.isRecorded) return;
  span.set({
    'gen_ai.latency.time_to_first_token': (firstTokenMs - arrivedMs) / 1000,
    'gen_ai.latency.e2e': (endedMs - arrivedMs) / 1000,
    'gen_ai.latency.time_in_queue': Math.max(0, scheduledMs - queuedMs) / 1000,
    'gen_ai.usage.prompt_tokens': generation.promptTokens.length,
    'gen_ai.usage.completion_tokens': generation.outputTokens,
    'gen_ai.latency.time_in_model_prefill': (firstTokenMs - scheduledMs) / 1000,
    'gen_ai.latency.time_in_model_decode': (endedMs - firstTokenMs) / 1000,
    'gen_ai.latency.time_in_model_inference': (endedMs - scheduledMs) / 1000,
    'gen_ai.request.id': request.id,
    'gen_ai.request.max_tokens': request.maxTokens ?? undefined,
    'gen_ai.request.n': 1,
  });
  span.end(endedMs);
}
