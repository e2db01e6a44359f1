export { latencyPredictorSettings, parseLatencyPredictorConfig } from './config.ts';
export type { LatencyPredictorConfig } from './config.ts';
export { createLatencyPredictorService } from './service.ts';
