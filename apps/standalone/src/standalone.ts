import { createMemoryBus } from '@sluice/bus';
import { ConsoleModule } from '@sluice/console';
import { createEventBridgeService } from '@sluice/event-bridge';
import { createKvIndexService } from '@sluice/kv-index';
import { createLatencyPredictorService } from '@sluice/latency-predictor';
import {
  type GivenSettings,
  runServices,
  type RunningService,
  type Service,
  type ServiceContext,
} from '@sluice/nest-kit';
import { createRouterService } from '@sluice/router';
import { createMemoryStore } from '@sluice/store';
import { createLogger, createMetrics, openTracing } from '@sluice/telemetry';
import type { StandaloneConfig } from './config.ts';

/** Runs every service in this process, on an in-memory bus and store, with one admin port. */
export async function startStandalone(config: StandaloneConfig, settings: GivenSettings): Promise<RunningService> {
  const bus = createMemoryBus();
  const store = createMemoryStore();
  const level = config.router.logLevel;
  const host = async <C>(service: string, create: (config: C, context: ServiceContext) => Service, own: C) => {
    const logger = createLogger({ service, level });
    const context = {
      service,
      bus,
      store,
      logger,
      // One of them speaks for the process that all are in.
      metrics: createMetrics({ service, process: service === 'router' }),
      tracing: await openTracing(`sluice-${service}`, config.tracing, logger),
      settings,
    };
    return { context, service: create(own, context) };
  };
  return runServices({
    host: config.router.host,
    port: config.adminPort,
    tokens: config.router.tokens,
    extraModules: [ConsoleModule.of()],
    // Started in this order; the router comes last so that it finds what it follows.
    services: [
      await host('latency-predictor', createLatencyPredictorService, config.latencyPredictor),
      await host('kv-index', createKvIndexService, config.kvIndex),
      await host('event-bridge', createEventBridgeService, config.eventBridge),
      await host('router', createRouterService, config.router),
    ],
  });
}
