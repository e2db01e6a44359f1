import { createMemoryBus } from '@sluice/bus';
import { routeOutcome } from '@sluice/contracts';
import { runService } from '@sluice/nest-kit';
import { contractSuite } from '@sluice/nest-kit/testing';
import { createMemoryStore } from '@sluice/store';
import { createLogger, createMetrics } from '@sluice/telemetry';
import { parseLatencyPredictorConfig } from './config.ts';
import { createLatencyPredictorService } from './service.ts';

const change = { settings: { SLUICE_LOG_LEVEL: 'fatal' } };
const load = { queuedPrefillTokens: 0, decodesRunning: 0, decodeContextTokens: 0, inflightRequests: 0, kvUsage: 0.1 };
const outcome = {
  decisionId: 'd-1',
  pool: 'chat',
  variant: 'h100',
  worker: 'a',
  startedAtMs: 0,
  streamed: true,
  result: 'completed' as const,
  promptTokens: 1000,
  outputTokens: 100,
  predictedCachedTokens: 0,
  cachedTokens: 0,
  ttftMs: 80,
  tpotMs: 10,
  e2eMs: 1100,
  predictedTtftMs: 70,
  predictedTpotMs: 9,
  load,
};

contractSuite('latency-predictor', {
  async start(token) {
    const env = { SLUICE_LOG_LEVEL: 'silent' };
    const parsed = parseLatencyPredictorConfig(env);
    if (!parsed.ok) throw new Error(parsed.errors.join());
    const name = 'latency-predictor';
    const bus = createMemoryBus();
    const logger = createLogger({ service: name, level: 'silent' });
    const metrics = createMetrics({ service: name, process: false });
    const settings = { env, file: null };
    const context = { service: name, bus, store: createMemoryStore(), logger, metrics, settings };
    const service = createLatencyPredictorService(parsed.config, context);
    const tokens = { token, tokenFile: null, readToken: null };
    const running = await runService({ host: '127.0.0.1', port: 0, tokens, context, service, title: name });
    bus.publish(routeOutcome, outcome);
    return running;
  },
  parameters: { pool: 'chat', variant: 'h100', file: 'swagger-ui.css' },
  queries: { '/predict': '?pool=chat&variant=h100&promptTokens=1000' },
  bodies: { 'PATCH /config': change, 'PUT /config': change, 'POST /config/rollback': { version: 0 } },
  otherStatus: { 'GET /traces/{traceId}': 404 },
});
