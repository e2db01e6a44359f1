import { type EventBridgeConfig, parseEventBridgeConfig } from '@sluice/event-bridge';
import { type KvIndexConfig, parseKvIndexConfig } from '@sluice/kv-index';
import { type LatencyPredictorConfig, parseLatencyPredictorConfig } from '@sluice/latency-predictor';
import {
  type Environment,
  type ParsedConfig,
  parseConfig,
  portField,
  setting,
  type SettingTexts,
} from '@sluice/nest-kit';
import { parseRouterConfig, type RouterConfig } from '@sluice/router';
import { parseTracingConfig, type TracingConfig } from '@sluice/telemetry';
import { z } from 'zod';

/** One configuration for each service, and the port of the admin API that they share. */
export interface StandaloneConfig {
  readonly adminPort: number;
  readonly router: RouterConfig;
  readonly kvIndex: KvIndexConfig;
  readonly eventBridge: EventBridgeConfig;
  readonly latencyPredictor: LatencyPredictorConfig;
  /** Null: tracing is disabled. */
  readonly tracing: TracingConfig | null;
}

/** Settings of the one process beside those of its services. */
export const standaloneSettings = z.object({
  SLUICE_PORT: setting(portField().default(8080), 'Port of the data plane'),
  SLUICE_ADMIN_PORT: setting(portField().default(8081), 'Port of the admin APIs of all services, and of the console'),
});

/** Every service reads its own variables; `SLUICE_PORT` and `SLUICE_ADMIN_PORT` place the process. Every error at once. */
export function parseStandaloneConfig(env: Environment, file: SettingTexts = {}): ParsedConfig<StandaloneConfig> {
  // The prefix of another program: this schema adds to the common variables and does not know all of them.
  const own = parseConfig(standaloneSettings, 'SLUICE_STANDALONE_', env);
  const port = own.ok ? own.config.SLUICE_PORT : 0;
  const router = parseRouterConfig(env, { ...file, ROUTER_PORT: String(port) });
  const kvIndex = parseKvIndexConfig(env, file);
  const eventBridge = parseEventBridgeConfig(env, file);
  const latencyPredictor = parseLatencyPredictorConfig(env, file);
  const tracing = parseTracingConfig(env);
  if (own.ok && router.ok && kvIndex.ok && eventBridge.ok && latencyPredictor.ok && tracing.ok) {
    return {
      ok: true,
      config: {
        adminPort: own.config.SLUICE_ADMIN_PORT,
        router: router.config,
        kvIndex: kvIndex.config,
        eventBridge: eventBridge.config,
        latencyPredictor: latencyPredictor.config,
        tracing: tracing.config,
      },
    };
  }
  const errors = [own, router, kvIndex, eventBridge, latencyPredictor, tracing].flatMap((part) =>
    part.ok ? [] : part.errors,
  );
  // What services have in common is wrong for each of them, and said once.
  return { ok: false, errors: [...new Set(errors)] };
}
