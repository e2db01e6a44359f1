import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineRequest, defineStream, defineSubject } from '@sluice/contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { connectNatsBus } from './index.ts';
import type { Bus, NatsBusOptions } from './index.ts';
import { jetStreamName } from './nats-stream.ts';
import { parsePosition } from './nats-consumer.ts';
import { busSuite } from './testing/bus-suite.ts';
import { eventually } from './testing/eventually.ts';
import { findNatsServer, NATS_SERVER_MISSING, startNatsServer } from './testing/nats-server.ts';
import type { NatsServer } from './testing/nats-server.ts';

const present = findNatsServer() !== null;
if (!present) process.stderr.write(`skipped: ${NATS_SERVER_MISSING}\n`);
const withServer = present ? describe : describe.skip;

const ping = defineSubject('ping.v1', z.strictObject({ n: z.number() }));
const echo = defineRequest('echo.v1', z.strictObject({ n: z.number() }), z.strictObject({ n: z.number() }));
const deltas = defineStream('kv.v1', ['pool', 'worker']);

const open = (server: NatsServer, options: Partial<NatsBusOptions> = {}): Promise<Bus> =>
  connectNatsBus({ servers: [server.url], name: 'spec', ...options });
const message = (n: number, bytes = 64): Uint8Array => {
  const data = new Uint8Array(bytes);
  new DataView(data.buffer).setFloat64(0, n);
  return data;
};
const numberOf = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);

/** Numbers as a receiver takes them that tells duplicates by the number, and counts what comes out of order. */
function receiver(): { take: (tokens: readonly string[], bytes: Uint8Array) => void; numbers: number[]; gaps: number } {
  const state = {
    numbers: [] as number[],
    gaps: 0,
    take: (_tokens: readonly string[], bytes: Uint8Array): void => {
      const n = numberOf(bytes);
      const last = state.numbers.at(-1) ?? 0;
      if (n <= last) return;
      if (n !== last + 1) state.gaps++;
      state.numbers.push(n);
    },
  };
  return state;
}

withServer('NATS', () => {
  let shared: NatsServer;
  beforeAll(async () => {
    shared = await startNatsServer();
  });
  afterAll(() => shared.close());

  busSuite('NATS', async () => {
    const [here, there] = [await open(shared), await open(shared)];
    return { here, there, close: async () => void (await Promise.all([here.drain(), there.drain()])) };
  });

  it('starts without a server and works once it is there', async () => {
    const server = await startNatsServer({ started: false });
    const warnings: string[] = [];
    const bus = await open(server, { logger: { info: () => undefined, warn: (text) => void warnings.push(text) } });
    expect(bus.state()).toBe('disconnected');
    expect(await bus.request(echo, { n: 1 })).toEqual({ kind: 'unavailable', reason: 'disconnected from NATS' });
    bus.publish(ping, { n: 1 });
    expect(bus.counters.publishDropped).toBe(1);

    const pings: number[] = [];
    const got = receiver();
    bus.subscribe(ping, ({ n }) => pings.push(n));
    bus.respond(echo, ({ n }) => ({ n }));
    bus.consume(deltas, { from: 'start' }, got.take);
    for (let n = 1; n <= 10; n++) bus.append(deltas, ['p', 'w'], message(n));
    await sleep(600);
    expect(warnings.filter((text) => text.startsWith('cannot connect'))).toHaveLength(1);
    await server.start();
    await eventually(() => bus.state() === 'connected');
    await eventually(() => got.numbers.length === 10);
    bus.publish(ping, { n: 2 });
    await eventually(() => pings.length === 1);
    expect(await bus.request(echo, { n: 3 })).toEqual({ kind: 'reply', value: { n: 3 } });
    await bus.drain();
    await server.close();
  }, 30_000);

  it('keeps appends in order over a killed server that comes back with its store', async () => {
    const server = await startNatsServer();
    const [producer, consumer] = [await open(server), await open(server)];
    const states: string[] = [];
    consumer.onState((state) => states.push(state));
    const got = receiver();
    consumer.consume(deltas, { from: 'start' }, got.take);
    let sent = 0;
    const appending = setInterval(() => {
      for (let i = 0; i < 50; i++) producer.append(deltas, ['p', 'w'], message(++sent));
    }, 5);
    await eventually(() => got.numbers.length > 1000);
    await server.kill();
    await sleep(1500);
    await server.start();
    const sentBefore = sent;
    await eventually(() => (got.numbers.at(-1) ?? 0) >= sentBefore);
    clearInterval(appending);
    await eventually(() => got.numbers.at(-1) === sent);
    expect(got.gaps).toBe(0);
    expect(got.numbers).toHaveLength(sent);
    expect(producer.counters.appendDropped).toBe(0);
    expect(states).toEqual(['disconnected', 'connected']);
    await Promise.all([producer.drain(), consumer.drain()]);
    await server.close();
  }, 60_000);

  it('keeps appends in order over a server that hangs, and ends while it hangs', async () => {
    const server = await startNatsServer();
    const [producer, consumer] = [await open(server), await open(server)];
    const got = receiver();
    consumer.consume(deltas, { from: 'start' }, got.take);
    let sent = 0;
    const append = (count: number): void => {
      for (let i = 0; i < count; i++) producer.append(deltas, ['p', 'w'], message(++sent));
    };
    append(500);
    await eventually(() => got.numbers.length === 500);
    server.freeze();
    append(5000);
    expect(await consumer.request(echo, { n: 1 }, { timeoutMs: 100 })).toEqual({
      kind: 'unavailable',
      reason: 'no reply within 100 ms',
    });
    // Longer than acknowledgements may take and longer than a consumer may hear nothing.
    await sleep(7000);
    server.thaw();
    await eventually(() => got.numbers.at(-1) === sent && producer.counters.appendQueuedBytes === 0);
    expect(got.gaps).toBe(0);
    server.freeze();
    await Promise.all([producer.drain(), consumer.drain()]);
    expect(producer.state()).toBe('disconnected');
    await server.close();
  }, 60_000);

  it('goes on when the server comes back with an empty store', async () => {
    const server = await startNatsServer();
    const [producer, consumer, late] = [await open(server), await open(server), await open(server)];
    const seen: number[] = [];
    const fresh: number[] = [];
    consumer.consume(deltas, { from: 'start' }, (_tokens, bytes) => seen.push(numberOf(bytes)));
    for (let n = 1; n <= 100; n++) producer.append(deltas, ['p', 'w'], message(n));
    await eventually(() => seen.length === 100 && producer.counters.appendQueuedBytes === 0);
    late.consume(deltas, { from: 'new' }, (_tokens, bytes) => fresh.push(numberOf(bytes)));
    await sleep(200);
    producer.append(deltas, ['p', 'w'], message(100.5));
    await eventually(() => fresh.length === 1);
    await server.kill();
    for (let n = 101; n <= 200; n++) producer.append(deltas, ['p', 'w'], message(n));
    await server.start({ emptyStore: true });
    await eventually(() => seen.at(-1) === 200 && fresh.at(-1) === 200);
    const afterwards = [100.5, ...Array.from({ length: 100 }, (_, i) => 101 + i)];
    expect(seen.slice(100)).toEqual(afterwards);
    expect(fresh).toEqual(afterwards);
    await Promise.all([producer.drain(), consumer.drain(), late.drain()]);
    await server.close();
  }, 60_000);

  it('goes on when the stream is deleted under it', async () => {
    const server = await startNatsServer();
    const bus = await open(server);
    const seen: number[] = [];
    bus.consume(deltas, { from: 'start' }, (_tokens, bytes) => seen.push(numberOf(bytes)));
    bus.append(deltas, ['p', 'w'], message(1));
    await eventually(() => seen.length === 1);
    await deleteStream(server.url, jetStreamName(deltas));
    for (let n = 2; n <= 20; n++) bus.append(deltas, ['p', 'w'], message(n));
    await eventually(() => seen.at(-1) === 20, 15_000);
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    await bus.drain();
    await server.close();
  }, 60_000);

  it('drops the oldest appends past its bound and tells of each', async () => {
    const server = await startNatsServer({ started: false });
    const bus = await open(server, { appendQueueBytes: 100 * (1000 + 128) });
    const dropped: string[] = [];
    bus.onDrop((stream, tokens) => dropped.push(`${stream.name} ${tokens.join('/')}`));
    for (let n = 1; n <= 250; n++) bus.append(deltas, ['p', `w${n}`], message(n, 1000));
    expect(bus.counters.appendDropped).toBe(150);
    expect(dropped[0]).toBe('kv.v1 p/w1');
    expect(dropped).toHaveLength(150);
    const seen: number[] = [];
    bus.consume(deltas, { from: 'start' }, (_tokens, bytes) => seen.push(numberOf(bytes)));
    await server.start();
    await eventually(() => seen.length === 100);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => 151 + i));
    expect(bus.counters.appendQueuedBytes).toBe(0);
    await bus.drain();
    await server.close();
  }, 30_000);

  it('gives up a message that the server cannot take, and only that one', async () => {
    const bus = await open(shared);
    const stream = defineStream('large.v1', ['n']);
    const dropped: string[] = [];
    const seen: number[] = [];
    bus.onDrop((_stream, tokens) => dropped.push(tokens[0]!));
    bus.consume(stream, { from: 'start' }, (_tokens, bytes) => seen.push(numberOf(bytes)));
    [1, 2, 3].forEach((n) => bus.append(stream, [String(n)], message(n, n === 2 ? 2 << 20 : 64)));
    await eventually(() => seen.length === 2 && bus.counters.appendQueuedBytes === 0);
    expect(seen).toEqual([1, 3]);
    expect(dropped).toEqual(['2']);
    await bus.drain();
  });

  it('says what is missing when JetStream is off, and everything else works', async () => {
    const server = await startNatsServer({ jetStream: false });
    const warnings: string[] = [];
    const bus = await open(server, { logger: { info: () => undefined, warn: (text) => void warnings.push(text) } });
    bus.append(deltas, ['p', 'w'], message(1));
    await eventually(() => warnings.some((text) => text.includes('JetStream is off')));
    bus.respond(echo, ({ n }) => ({ n }));
    expect(await bus.request(echo, { n: 1 })).toEqual({ kind: 'reply', value: { n: 1 } });
    expect(bus.counters.appendQueuedBytes).toBeGreaterThan(0);
    await server.kill();
    await bus.drain();
    await server.close();
  }, 30_000);

  it('enforces the limits it is given on a stream that is there already', async () => {
    const server = await startNatsServer();
    const first = await open(server);
    const seen: number[] = [];
    first.append(deltas, ['p', 'w'], message(1));
    await eventually(() => first.counters.appendQueuedBytes === 0);
    const second = await open(server, { streamMaxBytes: 20_000, streamMaxAgeMs: 3_600_000 });
    for (let n = 2; n <= 100; n++) second.append(deltas, ['p', 'w'], message(n, 1000));
    await eventually(() => second.counters.appendQueuedBytes === 0);
    first.consume(deltas, { from: 'start' }, (_tokens, bytes) => seen.push(numberOf(bytes)));
    await eventually(() => seen.at(-1) === 100);
    expect(seen.length).toBeLessThan(20);
    await Promise.all([first.drain(), second.drain()]);
    await server.close();
  }, 30_000);
});

describe('parsePosition', () => {
  it('reads the sequences of both forms of reply subject', () => {
    expect(parsePosition('$JS.ACK.SLUICE_KV.abc.1.17.5.1700000000000000000.0')).toEqual({
      streamSeq: 17,
      consumerSeq: 5,
    });
    expect(parsePosition('$JS.ACK._.hash.SLUICE_KV.abc.1.17.5.1700000000000000000.0.rnd')).toEqual({
      streamSeq: 17,
      consumerSeq: 5,
    });
    expect(parsePosition('_INBOX.x.1')).toBeNull();
  });
});

describe('jetStreamName', () => {
  it('names the KV stream SLUICE_KV', () => expect(jetStreamName(deltas)).toBe('SLUICE_KV'));
});

async function deleteStream(url: string, name: string): Promise<void> {
  const { connect } = await import('@nats-io/transport-node');
  const { jetstreamManager } = await import('@nats-io/jetstream');
  const nc = await connect({ servers: url });
  await (await jetstreamManager(nc)).streams.delete(name);
  await nc.close();
}
