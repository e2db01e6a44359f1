import { connectNatsBus } from '@sluice/bus';
import { configOrThrow, openSettings, runMain, runService } from '@sluice/nest-kit';
import { createMemoryStore } from '@sluice/store';
import { createLogger, createMetrics, openTracing, parseTracingConfig } from '@sluice/telemetry';
import { createEventBridgeService, parseEventBridgeConfig } from './index.ts';

await runMain('event-bridge', async () => {
  const settings = openSettings(process.env);
  const config = configOrThrow(parseEventBridgeConfig(process.env, settings.texts));
  const service = 'event-bridge';
  const logger = createLogger({ service, level: config.logLevel });
  const tracing = await openTracing(`sluice-${service}`, configOrThrow(parseTracingConfig(process.env)), logger);
  const bus = await connectNatsBus({ servers: [...config.natsServers], name: service, logger });
  // nothing here outlives the process: what a restarted bridge needs it asks of the engines
  const context = {
    service,
    bus,
    store: createMemoryStore(),
    logger,
    metrics: createMetrics({ service }),
    tracing,
    settings,
  };
  return runService({
    host: config.host,
    port: config.adminPort,
    tokens: config.tokens,
    context,
    service: createEventBridgeService(config, context),
    title: 'Sluice event bridge',
  });
});
