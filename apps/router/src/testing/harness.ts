import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { createMemoryBus } from '@sluice/bus';
import type { Bus } from '@sluice/bus';
import type { Fleet, PoolSpec, WorkerSpec } from '@sluice/model';
import { poolId, workerId } from '@sluice/model';
import { createMemoryStore } from '@sluice/store';
import { createLogger, createMetrics, NO_TRACING } from '@sluice/telemetry';
import type { Tracing } from '@sluice/telemetry';
import { startFakeEngine, until } from '@sluice/upstream/testing';
import type { Behaviour, FakeEngine } from '@sluice/upstream/testing';
import type { FleetSource } from '@sluice/discovery';
import { parseRouterConfig } from '../config.ts';
import type { RouterConfig } from '../config.ts';
import { createRouterService } from '../router-service.ts';
import type { RouterService } from '../router-service.ts';

/** What a spec may set of a fake engine's load. */
export interface EngineLoad {
  waiting: number;
  running: number;
  kvUsage: number;
  healthStatus: number;
  /** False: `/metrics` is never answered. */
  answers: boolean;
  /** Whether `/metrics/?name[]=...` is served as vLLM does; otherwise it is not found. */
  servesNames: boolean;
}
/** Looks at an engine's metrics so far. */
export interface Looks {
  whole: number;
  named: number;
}
export interface WorkerEngine extends FakeEngine {
  readonly id: string;
  readonly load: EngineLoad;
  readonly looks: Looks;
}

const BLOCK_TOKENS = 16;
const GPU_BLOCKS = 1000;

const metricsPage = (load: EngineLoad): string =>
  [
    `vllm:num_requests_running{engine="0",model_name="tiny"} ${load.running}`,
    `vllm:num_requests_waiting{engine="0",model_name="tiny"} ${load.waiting}`,
    `vllm:kv_cache_usage_perc{engine="0",model_name="tiny"} ${load.kvUsage}`,
    `vllm:cache_config_info{block_size="${BLOCK_TOKENS}",engine="0",num_gpu_blocks="${GPU_BLOCKS}"} 1.0`,
    '',
  ].join('\n');

/** A fake engine that answers metrics and health by itself and everything else as told. */
export async function startWorkerEngine(id: string, answer: Behaviour): Promise<WorkerEngine> {
  const load: EngineLoad = { waiting: 0, running: 0, kvUsage: 0, healthStatus: 200, answers: true, servesNames: false };
  const looks: Looks = { whole: 0, named: 0 };
  let respond = answer;
  const engine = await startFakeEngine((request, response) => {
    if (request.path.startsWith('/metrics')) {
      const named = request.path !== '/metrics';
      looks[named ? 'named' : 'whole']++;
      if (named && !load.servesNames) response.writeHead(404).end();
      else if (load.answers) response.writeHead(200, { 'content-type': 'text/plain' }).end(metricsPage(load));
    } else if (request.path === '/health') response.writeHead(load.healthStatus).end();
    else return respond(request, response);
  });
  return Object.assign(engine, {
    id,
    load,
    looks,
    behave: (next: Behaviour) => {
      respond = next;
    },
  });
}

export const worker = (
  engine: { id: string; url: string },
  pool = 'tiny',
  rest: Partial<WorkerSpec> = {},
): WorkerSpec => ({
  id: workerId(engine.id),
  pool: poolId(pool),
  engine: engine.id,
  url: engine.url,
  dpRank: null,
  role: 'both',
  variant: 'default',
  kvEvents: null,
  ...rest,
});

export const pool = (id = 'tiny', rest: Partial<PoolSpec> = {}): PoolSpec => ({
  id: poolId(id),
  models: [id],
  loras: [],
  tokenizer: null,
  ...rest,
});

/** A fleet that a spec replaces. */
export function settableFleet(
  first: Omit<Fleet, 'version'>,
): FleetSource & { set(next: Omit<Fleet, 'version'>): void } {
  let fleet: Fleet = { version: 1, ...first };
  const listeners = new Set<(fleet: Fleet) => void>();
  return {
    current: () => fleet,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => listeners.clear(),
    set(next) {
      fleet = { version: fleet.version + 1, ...next };
      for (const listener of listeners) listener(fleet);
    },
  };
}

export interface TestRouter {
  readonly url: string;
  readonly service: RouterService;
  readonly bus: Bus;
  metrics(): Promise<string>;
  /** Value of the sample whose line starts with `series`, 0 when there is none. */
  metric(series: string): Promise<number>;
  untilUp(count: number): Promise<void>;
  /** Resolves when nothing is in flight, in the gauge and in every ledger. */
  untilIdle(): Promise<void>;
  stop(): Promise<void>;
}

/** Fast settings: specs must not wait for the defaults of production. */
const FAST = { scrapeMs: 40, scrapeTimeoutMs: 400, silenceTimeoutMs: 5000, drainMs: 2000, downSilenceMs: 100 };

export function testConfig(overrides: Partial<RouterConfig> = {}): RouterConfig {
  const parsed = parseRouterConfig({ SLUICE_FLEET: 'unused', ROUTER_PORT: '0', ROUTER_ADMIN_PORT: '0' });
  if (!parsed.ok) throw new Error(parsed.errors.join('\n'));
  return { ...parsed.config, ...FAST, ...overrides };
}

export function testContext(bus: Bus = createMemoryBus()) {
  const logger = createLogger({ service: 'router', level: 'fatal' });
  const metrics = createMetrics({ service: 'router', process: false });
  const settings = { env: { SLUICE_FLEET: 'unused' }, file: null };
  return { service: 'router', bus, store: createMemoryStore(), logger, metrics, settings };
}

export async function startRouter(
  fleet: FleetSource,
  overrides: Partial<RouterConfig> = {},
  tracing: Tracing = NO_TRACING,
): Promise<TestRouter> {
  const context = { ...testContext(), tracing };
  const service = createRouterService(testConfig(overrides), context, fleet);
  await service.start();
  const text = (): Promise<string> => context.metrics.text();
  const metric = async (series: string): Promise<number> => {
    const lines = (await text()).split('\n').filter((line) => line.startsWith(series));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  };
  return {
    url: service.dataPlaneUrl()!,
    service,
    bus: context.bus,
    metrics: text,
    metric,
    untilUp: (count) =>
      until(() => service.status().checks['workers']!.detail.startsWith(`${count} of`), `${count} workers up`),
    async untilIdle() {
      const deadline = performance.now() + 5000;
      while ((await metric('sluice_router_in_flight')) > 0 || service.ledger().requests > 0) {
        if (performance.now() > deadline) throw new Error('requests stay in flight');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    stop: async () => {
      await service.stop();
      await context.bus.drain();
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  readonly complete: boolean;
}

/** Sends a request and reads its whole answer, however it ends. */
export function send(
  url: string,
  options: { method?: string; path?: string; headers?: Record<string, string>; body?: string | Buffer | object } = {},
): Promise<Answer> {
  const { method = 'POST', path = '/v1/chat/completions', headers = {}, body } = options;
  const bytes = typeof body === 'object' && !Buffer.isBuffer(body) ? JSON.stringify(body) : body;
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(new URL(path, url), { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      const finish = (): void => {
        const whole = Buffer.concat(chunks);
        const { statusCode = 0, headers: received, complete } = response;
        resolve({ status: statusCode, headers: received, body: whole, text: String(whole), complete });
      };
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', finish);
      response.on('error', finish);
    });
    outgoing.on('error', reject);
    outgoing.end(bytes);
  });
}

export const chat = (content: string, rest: object = {}): object => ({
  model: 'tiny',
  messages: [{ role: 'user', content }],
  ...rest,
});
