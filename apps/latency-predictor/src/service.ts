import { LiveConfig } from '@sluice/nest-kit';
import type { Service, ServiceContext } from '@sluice/nest-kit';
import { latencyPredictorSettings, parseLatencyPredictorConfig } from './config.ts';
import type { LatencyPredictorConfig } from './config.ts';
import { LatencyPredictorModule } from './latency-predictor.module.ts';
import { LatencyPredictor } from './latency-predictor.ts';

/** The latency-predictor for its process shell. */
export function createLatencyPredictorService(config: LatencyPredictorConfig, context: ServiceContext): Service {
  const app = new LatencyPredictor(config, context);
  const live = new LiveConfig({
    settings: latencyPredictorSettings,
    parse: parseLatencyPredictorConfig,
    config,
    context,
  });
  return {
    name: 'latency-predictor',
    module: LatencyPredictorModule.of(app, live),
    status: () => app.status(),
    async start() {
      await live.start();
      await app.start();
    },
    stop() {
      live.stop();
      return app.stop();
    },
  };
}
