import { connectNatsBus } from '@sluice/bus';
import { configOrThrow, openSettings, runMain, runService } from '@sluice/nest-kit';
import { connectRedisStore } from '@sluice/store';
import { createLogger, createMetrics, openTracing, parseTracingConfig } from '@sluice/telemetry';
import { createKvIndexService, parseKvIndexConfig } from './index.ts';

await runMain('kv-index', async () => {
  const settings = openSettings(process.env);
  const config = configOrThrow(parseKvIndexConfig(process.env, settings.texts));
  const service = 'kv-index';
  const logger = createLogger({ service, level: config.logLevel });
  const tracing = await openTracing(`sluice-${service}`, configOrThrow(parseTracingConfig(process.env)), logger);
  const bus = await connectNatsBus({ servers: [...config.natsServers], name: service, logger });
  const store = await connectRedisStore({ url: config.redisUrl, logger });
  const context = { service, bus, store, logger, metrics: createMetrics({ service }), tracing, settings };
  return runService({
    host: config.host,
    port: config.adminPort,
    tokens: config.tokens,
    context,
    service: createKvIndexService(config, context),
    title: 'Sluice KV index',
  });
});
