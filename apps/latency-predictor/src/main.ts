import { connectNatsBus } from '@sluice/bus';
import { configOrThrow, openSettings, runMain, runService } from '@sluice/nest-kit';
import { connectRedisStore } from '@sluice/store';
import { createLogger, createMetrics, openTracing, parseTracingConfig } from '@sluice/telemetry';
import { parseLatencyPredictorConfig } from './config.ts';
import { createLatencyPredictorService } from './service.ts';

const name = 'latency-predictor';

await runMain(name, async () => {
  const settings = openSettings(process.env);
  const config = configOrThrow(parseLatencyPredictorConfig(process.env, settings.texts));
  const logger = createLogger({ service: name, level: config.logLevel });
  const tracing = await openTracing(`sluice-${name}`, configOrThrow(parseTracingConfig(process.env)), logger);
  const metrics = createMetrics({ service: name });
  const bus = await connectNatsBus({ servers: [...config.natsServers], name, logger });
  const store = await connectRedisStore({ url: config.redisUrl, keyPrefix: 'sluice:v1:', logger });
  const context = { service: name, bus, store, logger, metrics, tracing, settings };
  const service = createLatencyPredictorService(config, context);
  return runService({
    host: config.host,
    port: config.adminPort,
    tokens: config.tokens,
    context,
    service,
    title: 'Sluice latency-predictor',
  });
});
