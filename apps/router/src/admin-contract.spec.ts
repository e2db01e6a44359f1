import { contractSuite } from '@sluice/nest-kit/testing';
import { chatEvents, streamPieces } from '@sluice/upstream/testing';
import { chat, send } from './testing/harness.ts';
import { serveRouter } from './testing/served-router.ts';

const known: Record<string, string> = { file: 'swagger-ui.css' };
const change = { settings: { SLUICE_LOG_LEVEL: 'fatal' }, note: 'contract' };

contractSuite('router', {
  async start(token) {
    const { running, dataPlane, stop } = await serveRouter(
      (_request, response) => streamPieces(response, chatEvents(['x', 'y'])),
      { shadowPolicies: ['p2c'], shadowSample: 1 },
      { tokens: { token, tokenFile: null, readToken: null } },
    );
    const answer = await send(dataPlane, { body: chat('x', { stream: true }) });
    known['id'] = String(answer.headers['x-sluice-decision-id']);
    return { ...running, close: stop };
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
