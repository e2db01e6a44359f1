import type { Logger } from '../logger.ts';
import { DeferredExport } from './deferred-export.ts';
import type { SpanExport } from './otlp-export.ts';
import { SpanRecorder } from './span-recorder.ts';
import { NO_TRACING } from './tracing.ts';
import type { Tracing } from './tracing.ts';
import type { TracingConfig } from './tracing-config.ts';

/** When OpenTelemetry's SDK is loaded: it takes 20 MB, and blocks the process for 0.1 s. */
export type ExportOpens = 'at-start' | 'with-first-span';

/** The tracing of one service; null: disabled. OpenTelemetry's SDK is loaded only where a receiver of spans is named. */
export async function openTracing(
  service: string,
  config: TracingConfig | null,
  logger: Logger,
  exportOpens: ExportOpens = 'at-start',
): Promise<Tracing> {
  if (config === null) return NO_TRACING;
  const { endpoint } = config;
  if (endpoint === null) return new SpanRecorder(service, config, null);
  const open = async (): Promise<SpanExport> => {
    const { openOtlpExport } = await import('./otlp-export.ts');
    return openOtlpExport(service, endpoint, config, logger);
  };
  return new SpanRecorder(service, config, exportOpens === 'at-start' ? await open() : new DeferredExport(open));
}
