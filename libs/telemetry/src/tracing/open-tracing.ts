import type { Logger } from '../logger.ts';
import { SpanRecorder } from './span-recorder.ts';
import { NO_TRACING } from './tracing.ts';
import type { Tracing } from './tracing.ts';
import type { TracingConfig } from './tracing-config.ts';

/** The tracing of one service; null: disabled. OpenTelemetry's SDK is loaded only where a receiver of spans is named. */
export async function openTracing(service: string, config: TracingConfig | null, logger: Logger): Promise<Tracing> {
  if (config === null) return NO_TRACING;
  if (config.endpoint === null) return new SpanRecorder(service, config, null);
  const { openOtlpExport } = await import('./otlp-export.ts');
  return new SpanRecorder(service, config, openOtlpExport(service, config.endpoint, config, logger));
}
