import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TraceSpan } from '@sluice/contracts';
import { Child, freePort } from '@sluice/process';
import { startOtlpReceiver } from '@sluice/telemetry/testing';
import type { OtlpReceiver } from '@sluice/telemetry/testing';
import { post, repoRoot, type Sim, Sluice, syntheticText, waitFor } from '@sluice/testkit';
import { chatUrl, env, missingPrograms, MODEL, poolOf, startSims, stopSims } from './setup.ts';

const CLIENT_SPAN = 'b7ad6b7169203331';
const SERVICES = ['router', 'kv-index', 'event-bridge', 'latency-predictor'];
const cli = join(repoRoot, 'apps/cli/dist/main.js');
let traces = 0;
/** What a client sends that began a trace of its own. */
const fromClient = (flags: '00' | '01'): { traceId: string; headers: Record<string, string> } => {
  const traceId = (0xabcdef00 + traces++).toString(16).padStart(32, '1');
  return { traceId, headers: { traceparent: `00-${traceId}-${CLIENT_SPAN}-${flags}`, tracestate: 'vendor=e2e' } };
};
const chat = (seed: number) => ({
  model: MODEL,
  stream: true,
  stream_options: { include_usage: true },
  max_tokens: 24,
  messages: [{ role: 'user', content: syntheticText(seed, 400) }],
});

async function sluice(args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args], { env });
  return stdout;
}

describe('traces over real processes and NATS', () => {
  let skip: string | null = null;
  let receiver: OtlpReceiver;
  let sims: Sim[] = [];
  let system: Sluice;

  beforeAll(async () => {
    skip = await missingPrograms('nats-server', 'redis-server');
    if (skip !== null) return;
    receiver = await startOtlpReceiver();
    const exporting = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_BSP_SCHEDULE_DELAY: '100' };
    sims = await startSims(2, { speed: 2 }, exporting);
    system = await Sluice.start({
      pools: [poolOf(sims)],
      services: true,
      // nothing is traced unless its client does
      env: { ...env, ...exporting, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' },
    });
  }, 90_000);

  afterAll(async () => {
    if (skip !== null) {
      console.log(`skipped: ${skip}`);
      return;
    }
    await system?.stop();
    await stopSims(sims);
    await receiver?.close();
  }, 60_000);

  const received = (traceId: string): TraceSpan[] => receiver.spans.filter((span) => span.traceId === traceId);
  const untilReceived = async (traceId: string, names: readonly string[]): Promise<ReadonlyMap<string, TraceSpan>> => {
    const byName = (): ReadonlyMap<string, TraceSpan> => new Map(received(traceId).map((span) => [span.name, span]));
    await waitFor(`spans ${names.join(', ')}`, 10_000, async () => names.every((name) => byName().has(name))).catch(
      () => {
        throw new Error(`only ${[...byName().keys()].join(', ')} came`);
      },
    );
    return byName();
  };

  it('one trace holds the client, the router, every service and the engine, each below who caused it', async () => {
    if (skip !== null) return;
    const { traceId, headers } = fromClient('01');
    const answer = await post(chatUrl(system), chat(1), { headers });
    expect(answer).toMatchObject({ status: 200, complete: true });
    const below: Record<string, string> = {
      receive: 'POST /v1/chat/completions',
      parse: 'POST /v1/chat/completions',
      render: 'POST /v1/chat/completions',
      'match prefix': 'POST /v1/chat/completions',
      decide: 'POST /v1/chat/completions',
      [`chat ${MODEL}`]: 'POST /v1/chat/completions',
      settle: 'POST /v1/chat/completions',
      llm_request: `chat ${MODEL}`,
      'process outcome.v1': 'settle',
      'prefix known': 'POST /v1/chat/completions',
      'bridge kv.v1': 'POST /v1/chat/completions',
      'apply kv.v1': 'POST /v1/chat/completions',
    };
    const spans = await untilReceived(traceId, Object.keys(below));
    for (const [name, parent] of Object.entries(below)) {
      expect([name, spans.get(name)!.parentSpanId]).toEqual([name, spans.get(parent)!.spanId]);
    }
    const root = spans.get('POST /v1/chat/completions')!;
    expect(root.parentSpanId).toBe(CLIENT_SPAN);
    expect(new Set(received(traceId).map(({ service }) => service))).toEqual(
      new Set([...SERVICES.map((service) => `sluice-${service}`), 'engine-sim']),
    );
    const decisionId = answer.headers.get('x-sluice-decision-id');
    expect(root.attributes).toMatchObject({ 'sluice.decision.id': decisionId, 'http.response.status_code': 200 });
    const call = spans.get(`chat ${MODEL}`)!;
    expect(call).toMatchObject({ kind: 'client', status: 'unset' });
    expect(call.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': MODEL,
      'gen_ai.request.max_tokens': 24,
      'gen_ai.response.finish_reasons': ['length'],
      'gen_ai.usage.output_tokens': 24,
      'gen_ai.usage.input_tokens': spans.get('llm_request')!.attributes['gen_ai.usage.prompt_tokens'],
      'sluice.worker': answer.headers.get('x-sluice-worker'),
    });
    expect(call.events.map(({ name }) => name)).toEqual(['first token']);
    const candidates = spans.get('decide')!.events.filter(({ name }) => name === 'candidate');
    expect(candidates.map(({ attributes }) => attributes['sluice.worker']).sort()).toEqual(['sim-1', 'sim-2']);
    for (const { attributes } of candidates) expect(attributes['sluice.term.ttft']).toEqual(expect.any(Number));
    const batch = spans.get('prefix known')!.attributes;
    for (const name of ['bridge kv.v1', 'apply kv.v1']) {
      expect(spans.get(name)!.attributes).toMatchObject({
        'sluice.kv.epoch': batch['sluice.kv.epoch'],
        'sluice.kv.seq': batch['sluice.kv.seq'],
      });
    }
  }, 30_000);

  it('sluice trace shows it from the admin APIs, by its id, by its decision, and as the last', async () => {
    if (skip !== null) return;
    const { traceId, headers } = fromClient('01');
    const answer = await post(chatUrl(system), chat(2), { headers });
    await untilReceived(traceId, ['process outcome.v1', 'bridge kv.v1', 'apply kv.v1']);
    const admins = SERVICES.flatMap((service) => ['--admin', system.admin(service)]);
    for (const id of [traceId, answer.headers.get('x-sluice-decision-id')!, 'last']) {
      const page = await sluice(['trace', id, ...admins]);
      expect(page).toContain(`trace ${traceId}`);
      for (const service of SERVICES) expect(page).toContain(service);
    }
  }, 30_000);

  it('what its client did not sample is traced by nobody, the engine included', async () => {
    if (skip !== null) return;
    const { traceId, headers } = fromClient('00');
    await post(chatUrl(system), chat(3), { headers });
    const before = receiver.spans.length;
    await post(chatUrl(system), chat(4));
    const marker = fromClient('01');
    await post(chatUrl(system), chat(5), { headers: marker.headers });
    await untilReceived(marker.traceId, ['llm_request', 'process outcome.v1']);
    expect(received(traceId)).toEqual([]);
    expect(receiver.spans.slice(before).filter((span) => span.traceId !== marker.traceId)).toEqual([]);
  }, 30_000);

  it('a receiver that refuses, hangs up or is gone fails no request', async () => {
    if (skip !== null) return;
    for (const status of [500, 0]) {
      receiver.answerWith(status);
      const requests = receiver.requests;
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, i) => post(chatUrl(system), chat(10 + i), { headers: fromClient('01').headers })),
      );
      expect(answers.map(({ complete }) => complete)).toEqual(answers.map(() => true));
      await waitFor('spans refused', 10_000, async () => receiver.requests > requests);
    }
    await receiver.close();
    const answer = await post(chatUrl(system), chat(30), { headers: fromClient('01').headers });
    expect(answer.complete).toBe(true);
  }, 60_000);
});

describe('sluice up', () => {
  /** Runs it with two simulated engines, and `check` once it is ready. */
  async function up(
    services: readonly string[],
    otel: Record<string, string>,
    check: (dataUrl: string, admin: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const [port, admin] = [await freePort(), await freePort()];
    const child = new Child({
      name: 'sluice',
      command: process.execPath,
      args: [cli, 'up', '--engines', '2', '--port', String(port), '--admin-port', String(admin), ...services],
      env: { ...env, ...otel },
    });
    try {
      await child.waitForLine(/^ready /, 60_000);
      await check(`http://127.0.0.1:${port}/v1/chat/completions`, ['--admin', `http://127.0.0.1:${admin}`]);
    } finally {
      await child.stop(10_000);
    }
  }
  const lastTrace = async (admin: readonly string[], parts: readonly string[]): Promise<string> => {
    const { value } = await waitFor(`a trace with ${parts.join(', ')}`, 15_000, async () => {
      const page = await sluice(['trace', 'last', ...admin]);
      return parts.every((part) => page.includes(part)) ? page : null;
    });
    return value;
  };

  it('with a sampler and nothing else keeps whole traces, the simulated engines included', async () => {
    await up([], { OTEL_TRACES_SAMPLER: 'always_on' }, async (url, admin) => {
      const answer = await post(url, chat(1));
      expect(answer.complete).toBe(true);
      const page = await lastTrace(admin, [...SERVICES, 'llm_request']);
      expect(page).toContain(`sluice explain ${answer.headers.get('x-sluice-decision-id')}`);
    });
  }, 120_000);

  it.each([
    ['in one process', []],
    ['with services', ['--services']],
  ])(
    '%s, tracing turned on while it runs: its simulated engines follow',
    async (_name, services) => {
      if (services.length > 0 && (await missingPrograms('nats-server', 'redis-server')) !== null) return;
      await up(services, {}, async (url, admin) => {
        expect((await post(url, chat(1))).complete).toBe(true);
        await sluice(['config', 'set', 'ROUTER_TRACE_SAMPLE=1', ...admin]);
        const answer = await post(url, chat(2));
        const page = await lastTrace(admin, ['llm_request']);
        expect(page).toContain(`sluice explain ${answer.headers.get('x-sluice-decision-id')}`);
        await sluice(['config', 'set', 'ROUTER_TRACE_SAMPLE=off', ...admin]);
        await post(url, chat(3));
        expect(await lastTrace(admin, ['llm_request'])).toContain(answer.headers.get('x-sluice-decision-id'));
      });
    },
    120_000,
  );
});
