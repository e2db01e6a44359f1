import { connectNatsBus } from '@sluice/bus';
import { configOrThrow, runMain, runService } from '@sluice/nest-kit';
import { connectRedisStore } from '@sluice/store';
import { createLogger, createMetrics } from '@sluice/telemetry';
import { parseLatencyPredictorConfig } from './config.ts';
import { createLatencyPredictorService } from './service.ts';

const name = 'latency-predictor';

await runMain(name, async () => {
  const config = configOrThrow(parseLatencyPredictorConfig(process.env));
  const logger = createLogger({ service: name, level: config.logLevel });
  const metrics = createMetrics({ service: name });
  const bus = await connectNatsBus({ servers: [...config.natsServers], name, logger });
  const store = await connectRedisStore({ url: config.redisUrl, keyPrefix: 'sluice:v1:', logger });
  const context = { service: name, bus, store, logger, metrics };
  const service = createLatencyPredictorService(config, context);
  return runService({ host: config.host, port: config.adminPort, context, service, title: 'Sluice latency-predictor' });
});
