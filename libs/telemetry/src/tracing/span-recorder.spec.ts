import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TraceContext } from '@sluice/contracts';
import { createLogger } from '../logger.ts';
import { startOtlpReceiver } from '../testing/otlp-receiver.ts';
import type { OtlpReceiver } from '../testing/otlp-receiver.ts';
import { parseTraceparent } from './trace-context.ts';
import { openTracing } from './open-tracing.ts';
import { NO_SPAN } from './tracing.ts';
import type { Tracing } from './tracing.ts';
import { parseTracingConfig } from './tracing-config.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const clientSpanId = 'b7ad6b7169203331';
const fromClient = (flags: '00' | '01'): TraceContext => ({
  traceparent: `00-${traceId}-${clientSpanId}-${flags}`,
  tracestate: 'vendor=x',
});

describe('SpanRecorder', () => {
  let receiver: OtlpReceiver;
  let log: string[];
  const opened: Tracing[] = [];

  const open = async (env: Record<string, string>, service = 'sluice-test'): Promise<Tracing> => {
    const parsed = parseTracingConfig({ OTEL_BSP_SCHEDULE_DELAY: '20', ...env });
    if (!parsed.ok) throw new Error(parsed.errors.join());
    const tracing = await openTracing(
      service,
      parsed.config,
      createLogger({ service, write: (line) => log.push(line) }),
    );
    opened.push(tracing);
    return tracing;
  };
  const sending = (sampler: string) =>
    open({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_TRACES_SAMPLER: sampler });

  beforeEach(async () => {
    receiver = await startOtlpReceiver();
    log = [];
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((tracing) => tracing.close()));
    await receiver.close();
  });

  it('sends to a receiver what it keeps: names, kinds, times, parents, attributes, events, errors', async () => {
    const tracing = await sending('always_on');
    const nowMs = Date.now();
    const root = tracing.start('root', fromClient('01'), { kind: 'server', startMs: nowMs - 20 });
    const child = root.child('child', {
      startMs: nowMs - 10,
      attributes: { text: 'ä', count: -7, share: 0.25, yes: true, no: false, list: ['a', 'b'], gone: undefined },
    });
    child.event('chosen', nowMs - 5.5, { cost: 12.5 });
    child.fail('broke');
    child.end(nowMs - 2);
    root.set({ late: 1 });
    root.end(nowMs);
    await tracing.close();
    expect(receiver.spans).toHaveLength(2);
    const [sentChild, sentRoot] = receiver.spans;
    expect(sentRoot).toMatchObject({
      traceId,
      parentSpanId: clientSpanId,
      name: 'root',
      kind: 'server',
      service: 'sluice-test',
      status: 'unset',
      attributes: { late: 1 },
    });
    expect(sentRoot!.durationMs).toBeCloseTo(20, 3);
    expect(sentChild).toMatchObject({ traceId, parentSpanId: sentRoot!.spanId, kind: 'internal', status: 'error' });
    expect(sentChild!.statusMessage).toBe('broke');
    expect(sentChild!.attributes).toEqual({
      text: 'ä',
      count: -7,
      share: 0.25,
      yes: true,
      no: false,
      list: ['a', 'b'],
    });
    expect(sentChild!.events).toEqual([{ name: 'chosen', atMs: expect.any(Number), attributes: { cost: 12.5 } }]);
    expect(sentChild!.events[0]!.atMs).toBeCloseTo(nowMs - 5.5, 3);
    const kept = tracing.kept.trace(traceId);
    expect(kept).toHaveLength(2);
    for (const span of kept) {
      const sent = receiver.spans.find(({ spanId }) => spanId === span.spanId)!;
      expect({ ...sent, startMs: 0, durationMs: 0 }).toEqual({ ...span, startMs: 0, durationMs: 0 });
      expect(sent.startMs).toBeCloseTo(span.startMs, 3);
    }
  });

  it('by parent: what a client sampled is, what it did not is not; passes the vendor state on', async () => {
    const tracing = await sending('parentbased_always_on');
    const taken = tracing.start('taken', fromClient('01'));
    expect(taken.isRecorded).toBe(true);
    expect(taken.context!.tracestate).toBe('vendor=x');
    expect(parseTraceparent(taken.context!.traceparent)).toMatchObject({ traceId, sampled: true });
    const left = tracing.start('left', fromClient('00'));
    expect(left).toBe(NO_SPAN);
    taken.end();
    const begun = tracing.start('begun', null);
    expect(begun.isRecorded).toBe(true);
    begun.end();
    await tracing.close();
    expect(receiver.spans.map(({ name }) => name)).toEqual(['taken', 'begun']);
    expect(receiver.spans[1]!.parentSpanId).toBeNull();
  });

  it('tells who goes on with a trace that is not taken, unless its client has said so already', async () => {
    const tracing = await open({ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' });
    const overruled = tracing.start('x', fromClient('01'));
    expect(overruled).toMatchObject({ isRecorded: false, traceId: null, context: { tracestate: 'vendor=x' } });
    const told = parseTraceparent(overruled.context!.traceparent)!;
    expect(told).toMatchObject({ traceId, sampled: false });
    expect(told.spanId).not.toBe(clientSpanId);
    const begun = [1, 2].map(() => parseTraceparent(tracing.start('x', null).context!.traceparent)!);
    expect(begun.map(({ sampled }) => sampled)).toEqual([false, false]);
    expect(new Set(begun.map((each) => each.traceId)).size).toBe(2);
    expect(tracing.start('x', fromClient('00'))).toBe(NO_SPAN);
    const nothing = overruled.child('below');
    nothing.set({ a: 1 });
    nothing.end();
    overruled.end();
    expect(tracing.kept.all()).toEqual([]);
  });

  it('takes another share from when it is told to, also where none was named, and goes back', async () => {
    const tracing = await open({});
    expect(tracing.isOn).toBe(false);
    expect(tracing.start('x', fromClient('01'))).toBe(NO_SPAN);
    tracing.setShare(0);
    expect(tracing.isOn).toBe(true);
    expect(tracing.start('x', null).isRecorded).toBe(false);
    expect(tracing.start('x', fromClient('01')).isRecorded).toBe(true);
    tracing.setShare(1);
    expect(tracing.start('x', null).isRecorded).toBe(true);
    tracing.setShare(null);
    expect(tracing.start('x', fromClient('01'))).toBe(NO_SPAN);
    const all = await open({ OTEL_TRACES_SAMPLER: 'always_on' });
    all.setShare('off');
    expect(all.start('x', null)).toBe(NO_SPAN);
    all.setShare(null);
    expect(all.start('x', fromClient('00')).isRecorded).toBe(true);
  });

  it('cuts long texts, and ends once', async () => {
    const tracing = await open({ OTEL_TRACES_SAMPLER: 'always_on' });
    const span = tracing.start('x', null, { attributes: { text: 'a'.repeat(5000) } });
    span.end(Date.now() - 60_000);
    span.end();
    const [kept, ...more] = tracing.kept.all();
    expect(more).toEqual([]);
    expect(kept!.attributes['text']).toHaveLength(1024);
    expect(kept!.durationMs).toBe(0);
  });

  it('takes about the share that it is told, and none at 0, and the same traces in every process', async () => {
    const share = async (arg: string) => {
      const tracing = await open({ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: arg });
      let taken = 0;
      for (let i = 0; i < 2000; i++) if (tracing.start('x', null).isRecorded) taken++;
      return taken / 2000;
    };
    expect(await share('0')).toBe(0);
    expect(await share('1')).toBe(1);
    const tenth = await share('0.1');
    expect(tenth).toBeGreaterThan(0.06);
    expect(tenth).toBeLessThan(0.15);
    const pair = [
      await open({ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.5' }, 'one'),
      await open({ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.5' }, 'two'),
    ] as const;
    for (let i = 1; i < 100; i++) {
      const id = (BigInt(i) * 0x9e3779b97f4a7c15f39cc0605cedc835n).toString(16).slice(-32).padStart(32, '1');
      const parent = { traceparent: `00-${id}-${clientSpanId}-01`, tracestate: null };
      expect(pair[0].start('x', parent).isRecorded).toBe(pair[1].start('x', parent).isRecorded);
    }
  });

  it('goes on with sampled traces alone, whatever its own share', async () => {
    const tracing = await open({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' });
    const followed = tracing.follow('process', fromClient('01'), { kind: 'consumer' });
    expect(followed.isRecorded).toBe(true);
    followed.end();
    expect(tracing.kept.trace(traceId)).toMatchObject([{ name: 'process', parentSpanId: clientSpanId }]);
    expect(tracing.follow('process', fromClient('00'))).toBe(NO_SPAN);
    expect(tracing.follow('process', null)).toBe(NO_SPAN);
    expect(tracing.follow('process', { traceparent: 'nonsense', tracestate: null })).toBe(NO_SPAN);
  });

  it('goes on when the receiver refuses, hangs up or is gone, says so once and when it is over', async () => {
    const tracing = await sending('always_on');
    const spans = (n: number) => {
      for (let i = 0; i < n; i++) tracing.start('x', null).end();
    };
    const until = async (ok: () => boolean) => {
      for (let i = 0; i < 200 && !ok(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(ok()).toBe(true);
    };
    receiver.answerWith(400);
    spans(3);
    await until(() => tracing.counters.failed === 3);
    spans(2);
    await until(() => tracing.counters.failed === 5);
    expect(log.filter((line) => line.includes('cannot be sent'))).toHaveLength(1);
    receiver.answerWith(200);
    spans(4);
    await until(() => tracing.counters.exported === 4);
    expect(log.filter((line) => line.includes('being sent again'))).toHaveLength(1);
    expect(receiver.spans).toHaveLength(4);
  });

  it('opens its export with the first span where it is told to, and loses none', async () => {
    const parsed = parseTracingConfig({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_TRACES_SAMPLER: 'parentbased_always_off',
      OTEL_BSP_SCHEDULE_DELAY: '20',
    });
    if (!parsed.ok) throw new Error(parsed.errors.join());
    const logger = createLogger({ service: 'x', write: (line) => log.push(line) });
    const [idle, busy] = [1, 2].map(() => openTracing('x', parsed.config, logger, 'with-first-span'));
    await (await idle!).close();
    const tracing = await busy!;
    tracing.start('begun', null).end();
    for (const name of ['a', 'b', 'c']) tracing.start(name, fromClient('01')).end();
    expect(tracing.counters).toEqual({ exported: 0, failed: 0 });
    await tracing.close();
    expect(receiver.spans.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(tracing.counters).toEqual({ exported: 3, failed: 0 });
  });

  it('makes nothing where it is disabled', async () => {
    const tracing = await open({ OTEL_TRACES_SAMPLER: 'always_on', OTEL_SDK_DISABLED: 'true' });
    tracing.setShare(1);
    expect(tracing.isOn).toBe(false);
    expect(tracing.follow('x', fromClient('01'))).toBe(NO_SPAN);
    expect(tracing.start('x', fromClient('01'))).toBe(NO_SPAN);
    expect(tracing.kept.all()).toEqual([]);
  });
});
