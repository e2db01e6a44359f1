export { createLogger } from './logger.ts';
export type { Logger, LoggerOptions, LogLevel } from './logger.ts';
export { createMetrics, mergeMetrics } from './metrics.ts';
export type {
  Counter,
  Gauge,
  Histogram,
  HistogramOptions,
  MetricDefinition,
  MetricOptions,
  Metrics,
  MetricsOptions,
} from './metrics.ts';
