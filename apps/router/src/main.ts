import { connectNatsBus } from '@sluice/bus';
import { configOrThrow, openSettings, runMain, runService } from '@sluice/nest-kit';
import { connectRedisStore } from '@sluice/store';
import { createLogger, createMetrics, openTracing, parseTracingConfig } from '@sluice/telemetry';
import { parseRouterConfig } from './config.ts';
import { createRouterService } from './router-service.ts';

await runMain('router', async () => {
  const settings = openSettings(process.env);
  const config = configOrThrow(parseRouterConfig(process.env, settings.texts));
  const logger = createLogger({ service: 'router', level: config.logLevel });
  const tracing = await openTracing('sluice-router', configOrThrow(parseTracingConfig(process.env)), logger);
  const bus = await connectNatsBus({ servers: [...config.natsServers], name: 'sluice-router', logger });
  const store = await connectRedisStore({ url: config.redisUrl, keyPrefix: 'sluice:v1:', logger });
  const context = {
    service: 'router',
    bus,
    store,
    logger,
    metrics: createMetrics({ service: 'router' }),
    tracing,
    settings,
  };
  return runService({
    host: config.host,
    port: config.adminPort,
    tokens: config.tokens,
    context,
    service: createRouterService(config, context),
    title: 'Sluice router',
  });
});
