import { runService } from '@sluice/nest-kit';
import { contractSuite } from '@sluice/nest-kit/testing';
import { chatEvents, streamPieces, until } from '@sluice/upstream/testing';
import { createRouterService } from './router-service.ts';
import {
  chat,
  pool,
  send,
  settableFleet,
  startWorkerEngine,
  testConfig,
  testContext,
  worker,
} from './testing/harness.ts';

const known: Record<string, string> = { file: 'swagger-ui.css' };
const change = { settings: { SLUICE_LOG_LEVEL: 'fatal' }, note: 'contract' };

contractSuite('router', {
  async start(token) {
    const engine = await startWorkerEngine('a', (_request, response) => streamPieces(response, chatEvents(['x', 'y'])));
    const context = testContext();
    const service = createRouterService(
      testConfig({ shadowPolicies: ['p2c'], shadowSample: 1 }),
      context,
      settableFleet({ pools: [pool()], workers: [worker(engine)] }),
    );
    const tokens = { token, tokenFile: null, readToken: null };
    const running = await runService({ host: '127.0.0.1', port: 0, tokens, context, service, title: 'Sluice router' });
    await until(() => service.status().ready, 'ready');
    const answer = await send(service.dataPlaneUrl()!, { body: chat('x', { stream: true }) });
    known['id'] = String(answer.headers['x-sluice-decision-id']);
    const close = async (): Promise<void> => {
      await running.close();
      await engine.kill();
    };
    return { ...running, close };
  },
  parameters: known,
  bodies: {
    'PUT /policy': { policy: 'round-robin' },
    'PUT /shadow': { policies: ['random'], sample: 0.5 },
    'POST /render': chat('hello'),
    'PATCH /config': change,
    'PUT /config': change,
    'POST /config/rollback': { version: 0 },
  },
  otherStatus: { 'GET /traces/{traceId}': 404 },
});
