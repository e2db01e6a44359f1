import type { AdminTokenSettings } from '@sluice/nest-kit';
import { runService } from '@sluice/nest-kit';
import { until } from '@sluice/upstream/testing';
import type { Behaviour } from '@sluice/upstream/testing';
import type { RouterConfig } from '../config.ts';
import { createRouterService } from '../router-service.ts';
import { pool, settableFleet, startWorkerEngine, testConfig, testContext, worker } from './harness.ts';
import type { WorkerEngine } from './harness.ts';

/** A ready router with its admin API in front of one engine, `a`. */
export interface ServedRouter {
  readonly engine: WorkerEngine;
  /** Its admin API. */
  readonly running: Awaited<ReturnType<typeof runService>>;
  /** URL of its data plane. */
  readonly dataPlane: string;
  readonly fleet: ReturnType<typeof settableFleet>;
  readonly context: ReturnType<typeof testContext>;
  stop(): Promise<void>;
}

export async function serveRouter(
  behaviour: Behaviour,
  config: Partial<RouterConfig> = {},
  rest: { tokens?: AdminTokenSettings; drainMs?: number } = {},
): Promise<ServedRouter> {
  const engine = await startWorkerEngine('a', behaviour);
  const fleet = settableFleet({ pools: [pool()], workers: [worker(engine)] });
  const context = testContext();
  const service = createRouterService(testConfig(config), context, fleet);
  const running = await runService({ host: '127.0.0.1', port: 0, context, service, title: 'Sluice router', ...rest });
  await until(() => service.status().ready, 'ready');
  return {
    engine,
    running,
    dataPlane: service.dataPlaneUrl()!,
    fleet,
    context,
    async stop() {
      await running.close();
      await engine.kill();
    },
  };
}
