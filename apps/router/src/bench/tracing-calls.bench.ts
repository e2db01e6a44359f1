// The calls of RequestTrace alone, as a request makes them, in a loop: processor time that another process cannot disturb much.
import { poolId, workerId } from '@sluice/model';
import { createDecisionTerms, createFleetTable } from '@sluice/routing';
import { PRIORS } from '@sluice/latency-model';
import { createLogger, openTracing, parseTracingConfig } from '@sluice/telemetry';
import type { Tracing } from '@sluice/telemetry';
import type { DecisionSubject } from '../decision/decision-entry.ts';
import { DecisionLog } from '../decision/decision-log.ts';
import { beginTrace } from '../tracing/request-trace.ts';
import { addCandidates } from '../tracing/candidate-events.ts';

const REQUESTS = 20_000;
const STEPS = ['receive', 'parse', 'render', 'match prefix', 'chat bench', 'settle'] as const;

const subject: DecisionSubject = {
  pool: poolId('bench'),
  model: 'bench',
  api: 'chat',
  policy: 'expected-latency',
  promptBytes: 4096,
  exactPrompt: true,
  retryOf: null,
  movedFrom: null,
  level: { tenant: 'default', priority: 0, ttftSloMs: null, tpotSloMs: null, deadlineMs: null },
  traceId: null,
  shadows: [],
};
const query = { promptTokens: 1000, expectedOutputTokens: 128, sessionHash: null };

/** A log with one decision among `candidates` workers, and its id. */
function decided(candidates: number): { log: DecisionLog; id: string } {
  const log = new DecisionLog(16, 'bench');
  const table = createFleetTable();
  const terms = createDecisionTerms();
  const ids = Array.from({ length: candidates }, (_, i) => workerId(`w${i}`));
  terms.layout('expected-latency', 'ms', ['ttft', 'stall', 'duplicate', 'kv'], candidates);
  ids.forEach((id, row) => {
    table.addWorker(id, PRIORS.default);
    table.columns.up[row] = 1;
    terms.cost[row] = (row * 7919) % 997;
    for (const values of terms.values) values[row] = row + 1;
  });
  return { log, id: log.add(subject, query, table.columns, ids, terms, 0, Date.now(), []) };
}

async function opened(share: string | null, endpoint: string): Promise<Tracing> {
  const parsed = parseTracingConfig(
    share === null
      ? { OTEL_SDK_DISABLED: 'true' }
      : {
          OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
          OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
          OTEL_TRACES_SAMPLER_ARG: share,
        },
  );
  if (!parsed.ok) throw new Error(parsed.errors.join());
  return openTracing('bench', parsed.config, createLogger({ service: 'bench', level: 'silent' }));
}

/** One request's spans, with the number of attributes that they have in the router. */
function trace(tracing: Tracing, log: DecisionLog, id: string): void {
  const request = beginTrace(tracing, 'chat', {});
  request.received(4096);
  request.parsed();
  if (request.root.isRecorded) {
    for (const name of STEPS.slice(2)) {
      request.root.child(name, { attributes: { 'sluice.a': 1, 'sluice.b': 'w1', 'sluice.c': true } }).end();
    }
    const span = request.root.child('decide');
    addCandidates(span, log, id, performance.now());
    span.end();
  }
  request.end('bench', 200, 'completed');
}

/** Processor time of this process per request, in microseconds, sending included. */
export async function callsUs(share: string | null, candidates: number, endpoint: string): Promise<number> {
  const tracing = await opened(share, endpoint);
  const { log, id } = decided(candidates);
  const run = async (requests: number): Promise<void> => {
    for (let i = 0; i < requests; i++) {
      trace(tracing, log, id);
      // as requests come: what waits to be sent is sent
      if (i % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await run(REQUESTS / 4);
  const before = process.cpuUsage();
  await run(REQUESTS);
  const { user, system } = process.cpuUsage(before);
  await tracing.close();
  return (user + system) / REQUESTS;
}
