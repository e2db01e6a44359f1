import { afterEach, describe, expect, it } from '@jest/globals';
import { createMemoryBus } from '@sluice/bus';
import type { Bus } from '@sluice/bus';
import { latencyParameters, routeOutcome } from '@sluice/contracts';
import type { PayloadOf } from '@sluice/contracts';
import { memoryWaitMs, PRIORS, predictTpotMs, predictTtftMs } from '@sluice/latency-model';
import { runService } from '@sluice/nest-kit';
import type { RunningService } from '@sluice/nest-kit';
import { seededRng } from '@sluice/numerics';
import { createMemoryStore, StoreUnavailable } from '@sluice/store';
import type { Store, StoreState } from '@sluice/store';
import { createLogger, createMetrics } from '@sluice/telemetry';
import { parseLatencyPredictorConfig } from './config.ts';
import { createLatencyPredictorService } from './service.ts';

type Snapshot = PayloadOf<typeof latencyParameters>;
type Outcome = PayloadOf<typeof routeOutcome>;

const truth = PRIORS['llama-3.1-70b-tp4-h100'];

/** An outcome of an engine that obeys the step model with `truth`. */
function outcome(rng: () => number, change: Partial<Outcome> = {}): Outcome {
  const decodesRunning = Math.floor(rng() * 40);
  const load = {
    queuedPrefillTokens: rng() < 0.5 ? 0 : Math.floor(rng() * 9000),
    decodesRunning,
    decodeContextTokens: decodesRunning * Math.floor(rng() * 3000),
    inflightRequests: decodesRunning + 1,
    kvUsage: 0.3,
  };
  const prompt = { promptTokens: 1 + Math.floor(rng() * 6000), cachedTokens: 0, outputTokens: 100 };
  const ttftMs = predictTtftMs(truth, load, prompt, { chunkTokens: 8192 });
  const tpotMs = predictTpotMs(truth, load, prompt);
  return {
    decisionId: 'd',
    pool: 'chat',
    variant: 'h100',
    worker: 'w0',
    startedAtMs: 0,
    streamed: true,
    result: 'completed',
    ...prompt,
    promptBytes: prompt.promptTokens * 5,
    predictedCachedTokens: 0,
    ttftMs,
    tpotMs,
    e2eMs: ttftMs + 99 * tpotMs,
    predictedTtftMs: null,
    predictedTpotMs: null,
    load,
    ...change,
  };
}

const open: RunningService[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((running) => running.close()));
});

interface Started {
  running: RunningService;
  bus: Bus;
  snapshots: Snapshot[];
}

async function start(store: Store, env: Record<string, string> = {}): Promise<Started> {
  const parsed = parseLatencyPredictorConfig(env);
  if (!parsed.ok) throw new Error(parsed.errors.join('\n'));
  const name = 'latency-predictor';
  const bus = createMemoryBus();
  const snapshots: Snapshot[] = [];
  bus.subscribe(latencyParameters, (snapshot) => void snapshots.push(snapshot));
  const logger = createLogger({ service: name, level: 'silent' });
  const metrics = createMetrics({ service: name, process: false });
  const context = { service: name, bus, store, logger, metrics };
  const service = createLatencyPredictorService(parsed.config, context);
  const running = await runService({ host: '127.0.0.1', port: 0, context, service, title: name });
  open.push(running);
  return { running, bus, snapshots };
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await what()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`did not happen: ${what.toString()}`);
}

const getJson = async (url: string): Promise<Record<string, unknown>> =>
  (await (await fetch(url)).json()) as Record<string, unknown>;

const samplesAt = async ({ running }: Started): Promise<unknown> =>
  (await getJson(`${running.url}/variants/chat/h100`))['samples'];

async function teach(started: Started, count: number): Promise<void> {
  const rng = seededRng(3);
  for (let i = 0; i < count; i++) started.bus.publish(routeOutcome, outcome(rng));
  await until(async () => (await samplesAt(started)) === count);
}

/** A store that outlives the services that use it, with a switch that takes it away. */
function lastingStore(state: StoreState = 'connected'): { store: Store; turn(next: StoreState): void } {
  const inner = createMemoryStore();
  const listeners = new Set<(state: StoreState) => void>();
  const guard = (): void => {
    if (state === 'disconnected') throw new StoreUnavailable('away');
  };
  const store: Store = {
    durable: true,
    state: () => state,
    onState: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    get: async (key) => (guard(), inner.get(key)),
    set: async (key, value) => (guard(), inner.set(key, value)),
    replace: async (key, expected, value) => (guard(), inner.replace(key, expected, value)),
    delete: async (...keys) => (guard(), inner.delete(...keys)),
    readMap: async function* (key) {
      guard();
      yield* inner.readMap(key);
    },
    writeMap: async (key, changes) => (guard(), inner.writeMap(key, changes)),
    keys: async (prefix) => (guard(), inner.keys(prefix)),
    close: async () => undefined,
  };
  const turn = (next: StoreState): void => {
    state = next;
    for (const listener of listeners) listener(next);
  };
  return { store, turn };
}

describe('latency-predictor', () => {
  it('turns outcomes into parameters', async () => {
    const started = await start(lastingStore().store);
    await teach(started, 300);
    await until(() => started.snapshots.at(-1)?.variants[0]?.samples === 300);
    const { version, variants } = started.snapshots.at(-1)!;
    expect(version).toBeGreaterThan(started.snapshots[0]!.version);
    expect(variants).toHaveLength(1);
    const learned = variants[0]!;
    expect([learned.pool, learned.variant]).toEqual(['chat', 'h100']);
    expect(Math.abs(learned.step.aMsPerToken / truth.aMsPerToken - 1)).toBeLessThan(0.05);
    expect(learned.bytesPerToken).toBeCloseTo(5, 1);
    expect(learned.meanOutputTokens).toBeLessThan(105);

    expect(Object.keys(learned.regimes!)).toEqual(['idle', 'loaded', 'queued', 'full']);

    const one = await getJson(`${started.running.url}/variants/chat/h100`);
    expect(one).toMatchObject({ samples: 300, prior: 'default', step: learned.step });
    expect(one['errors']).toMatchObject({ ttft: { samples: 300 }, tpot: { samples: 300 } });
    const all = await getJson(`${started.running.url}/variants`);
    expect(all).toEqual({ publishedVersion: version, variants: [one] });
  });

  it('starts warm from its store, and publishes what it restored at once as something newer', async () => {
    const { store } = lastingStore();
    const first = await start(store);
    await teach(first, 50);
    const before = await getJson(`${first.running.url}/variants/chat/h100`);
    await first.running.close();

    const second = await start(store);
    expect(await getJson(`${second.running.url}/variants/chat/h100`)).toEqual(before);
    await until(() => second.snapshots.length > 0);
    expect(second.snapshots[0]!.variants[0]).toMatchObject({ samples: 50, step: before['step'] });
    expect(second.snapshots[0]!.version).toBeGreaterThanOrEqual(first.snapshots.at(-1)!.version);
  });

  it('learns while its store is away, and takes over the stored copy only if that knows more', async () => {
    const { store, turn } = lastingStore();
    const first = await start(store);
    await teach(first, 40);
    await first.running.close();

    turn('disconnected');
    const second = await start(store);
    await teach(second, 10);
    const ready = await fetch(`${second.running.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ checks: { store: { ok: false } } });
    turn('connected');
    await until(async () => (await samplesAt(second)) === 40);
    await second.running.close();

    turn('disconnected');
    const third = await start(store);
    await teach(third, 60);
    turn('connected');
    await until(async () => (await (await fetch(`${third.running.url}/readyz`)).text()).includes('parameters read'));
    expect(await samplesAt(third)).toBe(60);
    await third.running.close();
    expect(await samplesAt(await start(store))).toBe(60);
  });

  it('learns anew what is stored and cannot be used', async () => {
    const { store } = lastingStore();
    const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
    const broken = { pool: 'chat', variant: 'h100', updatedAtMs: 1, state: { version: 9 } };
    await store.writeMap('latency-predictor:variants', {
      set: [
        ['a', encode('{not json')],
        ['b', encode(JSON.stringify(broken))],
      ],
    });
    const started = await start(store);
    expect((await getJson(`${started.running.url}/variants`))['variants']).toEqual([]);
    await teach(started, 3);
  });

  it('starts a variant from the prior that was configured for it, and goes back there when told', async () => {
    const started = await start(lastingStore().store, {
      LATENCY_PREDICTOR_PRIORS: 'h100=llama-3.1-8b-h100,chat/l40=qwen3-32b-tp2-h100',
    });
    const rng = seededRng(1);
    started.bus.publish(routeOutcome, outcome(rng, { variant: 'l40', result: 'rejected' }));
    await teach(started, 20);
    const url = `${started.running.url}/variants/chat`;
    const unheard = await getJson(`${url}/l40`);
    expect(unheard).toMatchObject({ samples: 0, prior: 'qwen3-32b-tp2-h100', step: PRIORS['qwen3-32b-tp2-h100'] });

    const answer = await fetch(`${url}/h100/reset`, { method: 'POST' });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ samples: 0, step: PRIORS['llama-3.1-8b-h100'] });
    await until(() => started.snapshots.at(-1)?.variants.find((each) => each.variant === 'h100')?.samples === 0);
    expect((await fetch(`${url}/none/reset`, { method: 'POST' })).status).toBe(404);
    expect((await fetch(`${url}/none`)).status).toBe(404);
  });

  it('predicts for a load that is given, from the prior when nothing was heard', async () => {
    const started = await start(lastingStore().store);
    const query = 'pool=chat&variant=new&promptTokens=1000&outputTokens=101&decodesRunning=4&decodeContextTokens=8000';
    const load = { queuedPrefillTokens: 0, decodesRunning: 4, decodeContextTokens: 8000, inflightRequests: 4 };
    const ttftMs = predictTtftMs(PRIORS.default, load, { promptTokens: 1000, cachedTokens: 0 }, { chunkTokens: 8192 });
    const tpotMs = predictTpotMs(PRIORS.default, load, { promptTokens: 1000, outputTokens: 101 });
    const predicted = await getJson(`${started.running.url}/predict?${query}`);
    expect(predicted).toMatchObject({ samples: 0, ttftMs, tpotMs, e2eMs: ttftMs + 100 * tpotMs });
    expect(predicted['ttftP90Ms']).toBeGreaterThan(ttftMs);
    expect(predicted['regime']).toBe('loaded');
    const tight = await getJson(`${started.running.url}/predict?${query}&kvForecast=1.2&prefilledTokens=0`);
    expect(tight['regime']).toBe('full');
    const prompt = { promptTokens: 1000, cachedTokens: 0, outputTokens: 101 };
    const waitMs = memoryWaitMs(PRIORS.default, { ...load, kvForecast: 1.2 }, prompt);
    expect(waitMs).toBeGreaterThan(100);
    expect(tight['ttftMs']).toBeCloseTo(ttftMs + waitMs, 6);
    const wrong = await fetch(`${started.running.url}/predict?pool=chat&promptTokens=-4&colour=red`);
    expect(wrong.status).toBe(400);
    expect(((await wrong.json()) as { error: { message: string } }).error.message).toMatch(
      /variant.*promptTokens.*colour/,
    );
  });

  it('counts what became of every outcome', async () => {
    const started = await start(lastingStore().store);
    const rng = seededRng(5);
    const odd: Partial<Outcome>[] = [{ ttftMs: -1 }, { result: 'upstream-error' }, { ttftMs: null, tpotMs: null }];
    for (const change of odd) started.bus.publish(routeOutcome, outcome(rng, change));
    await teach(started, 5);
    const metrics = await (await fetch(`${started.running.url}/metrics`)).text();
    const value = (name: string): string | undefined =>
      metrics
        .split('\n')
        .find((line) => line.startsWith(`sluice_predictor_${name}`))
        ?.split(' ')
        .at(-1);
    expect(value('outcomes_total{result="learned"')).toBe('5');
    expect(value('outcomes_total{result="rejected"')).toBe('1');
    expect(value('unused_outcomes_total{reason="invalid"')).toBe('1');
    expect(value('unused_outcomes_total{reason="not-served"')).toBe('1');
    expect(value('unused_outcomes_total{reason="nothing-measured"')).toBe('1');
    expect(value('samples{')).toBe('5');
    expect(Number(value('error_ratio{'))).toBeGreaterThan(0);
    expect(Number(value('snapshots_published_total'))).toBeGreaterThan(0);
  });
});
