import { createMemoryBus } from '@sluice/bus';
import { createEventBridgeService } from '@sluice/event-bridge';
import { createKvIndexService } from '@sluice/kv-index';
import { createLatencyPredictorService } from '@sluice/latency-predictor';
import { runServices, type RunningService, type Service, type ServiceContext } from '@sluice/nest-kit';
import { createRouterService } from '@sluice/router';
import { createMemoryStore } from '@sluice/store';
import { createLogger, createMetrics } from '@sluice/telemetry';
import type { StandaloneConfig } from './config.ts';

/** Runs every service in this process, on an in-memory bus and store, with one admin port. */
export function startStandalone(config: StandaloneConfig): Promise<RunningService> {
  const bus = createMemoryBus();
  const store = createMemoryStore();
  const level = config.router.logLevel;
  const host = <C>(service: string, create: (config: C, context: ServiceContext) => Service, own: C) => {
    const context = {
      service,
      bus,
      store,
      logger: createLogger({ service, level }),
      // One of them speaks for the process that all are in.
      metrics: createMetrics({ service, process: service === 'router' }),
    };
    return { context, service: create(own, context) };
  };
  return runServices({
    host: config.router.host,
    port: config.adminPort,
    drainMs: config.router.drainMs,
    // Started in this order; the router comes last so that it finds what it follows.
    services: [
      host('latency-predictor', createLatencyPredictorService, config.latencyPredictor),
      host('kv-index', createKvIndexService, config.kvIndex),
      host('event-bridge', createEventBridgeService, config.eventBridge),
      host('router', createRouterService, config.router),
    ],
  });
}
