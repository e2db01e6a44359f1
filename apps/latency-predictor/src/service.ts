import type { Service, ServiceContext } from '@sluice/nest-kit';
import type { LatencyPredictorConfig } from './config.ts';
import { LatencyPredictorModule } from './latency-predictor.module.ts';
import { LatencyPredictor } from './latency-predictor.ts';

/** The latency-predictor for its process shell. */
export function createLatencyPredictorService(config: LatencyPredictorConfig, context: ServiceContext): Service {
  const app = new LatencyPredictor(config, context);
  return {
    name: 'latency-predictor',
    module: LatencyPredictorModule.of(app),
    status: () => app.status(),
    start: () => app.start(),
    stop: () => app.stop(),
  };
}
