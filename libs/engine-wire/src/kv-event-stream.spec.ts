import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { Dealer, Reply } from 'zeromq';
import { createKvEventPublisher, publisherBinds } from './kv-event-publisher.ts';
import type { KvEventPublisher, KvEventPublisherOptions } from './kv-event-publisher.ts';
import { openKvEventStream } from './kv-event-stream.ts';
import type { KvEventStream } from './kv-event-stream.ts';
import { capturedMessages, capturedReplays } from './testing/captures.ts';

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function publisher(options: Partial<KvEventPublisherOptions> = {}): Promise<KvEventPublisher> {
  const created = await createKvEventPublisher({
    endpoint: 'tcp://127.0.0.1:*',
    replayEndpoint: 'tcp://127.0.0.1:*',
    topic: 'kv-events',
    ...options,
  });
  cleanup.push(() => created.close());
  return created;
}

interface Received {
  stream: KvEventStream;
  messages: [bigint, string][];
  links: string[];
  errors: unknown[];
}

function subscribe(source: {
  mode?: 'connect' | 'bind';
  endpoint: string;
  replayEndpoint?: string | null;
  topic?: string;
}): Received {
  const received: Omit<Received, 'stream'> = { messages: [], links: [], errors: [] };
  const stream = openKvEventStream({
    source: { mode: 'connect', replayEndpoint: null, topic: '', ...source },
    onMessage: (seq, payload) => received.messages.push([seq, Buffer.from(payload).toString()]),
    onError: (error) => received.errors.push(error),
    onLink: (state) => received.links.push(state),
  });
  cleanup.push(() => stream.close());
  return { stream, ...received };
}

async function eventually(check: () => void): Promise<void> {
  const deadline = Date.now() + 4_500;
  for (;;) {
    try {
      return check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** An address that a plain TCP server listens on until it is released. */
async function takenEndpoint(): Promise<{ endpoint: string; release: () => Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const release = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { endpoint: `tcp://127.0.0.1:${port}`, release };
}

async function freeEndpoint(): Promise<string> {
  const { endpoint, release } = await takenEndpoint();
  await release();
  return endpoint;
}

/** A TCP connection on which nothing is said; it is accepted at once or, where nobody listens yet, once somebody does. */
async function knock(endpoint: string): Promise<Socket> {
  const port = Number(endpoint.slice(endpoint.lastIndexOf(':') + 1));
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const connected = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (connected) return socket;
  }
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Publishes until the subscription is in force, then returns what came last. */
async function connected(from: KvEventPublisher, to: Received): Promise<void> {
  await eventually(() => {
    from.publish(text('probe'));
    expect(to.messages.length).toBeGreaterThan(0);
  });
}

describe('the event stream', () => {
  it('delivers batches in order with their numbers, of its topic only', async () => {
    const pub = await publisher();
    const received = subscribe({ endpoint: pub.endpoint, topic: 'kv-' });
    const other = subscribe({ endpoint: pub.endpoint, topic: 'metrics' });
    await connected(pub, received);
    const first = pub.publish(text('a'));
    pub.publish(text('b'));
    await eventually(() =>
      expect(received.messages.slice(-2)).toEqual([
        [first, 'a'],
        [first + 1n, 'b'],
      ]),
    );
    expect(received.links).toEqual(['up']);
    expect(other.messages).toEqual([]);
  });

  it('delivers a burst that the socket cannot take in one go', async () => {
    const pub = await publisher();
    const received = subscribe({ endpoint: pub.endpoint });
    await connected(pub, received);
    const first = pub.publish(text('first'));
    for (let i = 1; i < 5_000; i++) pub.publish(text(String(i)));
    await eventually(() => expect(received.messages.at(-1)).toEqual([first + 4_999n, '4999']));
    const burst = received.messages.filter(([seq]) => seq >= first);
    expect(burst.map(([seq]) => seq)).toEqual(Array.from({ length: 5_000 }, (_, i) => first + BigInt(i)));
  });

  it('binds, and lets the engine connect', async () => {
    const endpoint = await freeEndpoint();
    const received = subscribe({ mode: 'bind', endpoint });
    const pub = await publisher({ endpoint, replayEndpoint: null });
    await connected(pub, received);
    await pub.close();
    await eventually(() => expect(received.links).toEqual(['up', 'down']));
  });

  it('knows a silent publisher from one that is gone', async () => {
    const endpoint = await freeEndpoint();
    const { stream, links, messages } = subscribe({ endpoint });
    expect(stream.connected).toBe(false);
    const becomes = (state: boolean): Promise<void> => eventually(() => expect(stream.connected).toBe(state));
    for (let life = 0; life < 2; life++) {
      const pub = await publisher({ endpoint, bind: true, replayEndpoint: null });
      await becomes(true);
      await pub.close();
      await becomes(false);
    }
    expect(links).toEqual(['up', 'down', 'up', 'down']);
    expect(messages).toEqual([]);
  });

  it('stays connected while the next process is there before the last one is gone, whoever else knocks', async () => {
    const endpoint = await freeEndpoint();
    const { stream, links } = subscribe({ mode: 'bind', endpoint });
    const visitor = await knock(endpoint);
    const first = await publisher({ endpoint, replayEndpoint: null });
    await eventually(() => expect(links).toEqual(['up']));
    const second = await publisher({ endpoint, replayEndpoint: null });
    await eventually(() => expect(links).toEqual(['up', 'up']));
    await first.close();
    visitor.destroy();
    await eventually(() => expect(links).toEqual(['up', 'up', 'down', 'down']));
    expect(stream.connected).toBe(true);
    await second.close();
    await eventually(() => expect(stream.connected).toBe(false));
    const knocking = await knock(endpoint);
    knocking.destroy();
    await eventually(() => expect(links).toHaveLength(6));
    expect(stream.connected).toBe(false);
  });

  it('waits for an address that is taken, and says so', async () => {
    const { endpoint, release } = await takenEndpoint();
    const received = subscribe({ mode: 'bind', endpoint });
    await eventually(() => expect(received.errors.length).toBeGreaterThan(0));
    await release();
    const pub = await publisher({ endpoint, replayEndpoint: null });
    await connected(pub, received);
  });

  it('connects again when another protocol had the port for a while', async () => {
    const stranger = new Reply({ linger: 0 });
    await stranger.bind('tcp://127.0.0.1:*');
    const endpoint = stranger.lastEndpoint!;
    const received = subscribe({ endpoint });
    await eventually(() => expect(received.links).toContain('down'));
    stranger.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const pub = await publisher({ endpoint, bind: true, replayEndpoint: null });
    await connected(pub, received);
  });

  it('goes over local sockets', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kv-events-'));
    cleanup.push(() => rmSync(folder, { recursive: true, force: true }));
    const pub = await publisher({ endpoint: `ipc://${folder}/pub`, replayEndpoint: `ipc://${folder}/replay` });
    const received = subscribe({ endpoint: pub.endpoint, replayEndpoint: pub.replayEndpoint });
    await connected(pub, received);
    await eventually(() => expect(received.stream.connected).toBe(true));
    expect(await received.stream.replay(0n)).toMatchObject({ complete: true, late: false });
  });
});

describe('replay', () => {
  it.each(['topic', 'plain'] as const)('returns what the engine kept, layout %s', async (replayLayout) => {
    const pub = await publisher({ replayLayout, bufferSteps: 3 });
    for (const value of ['a', 'b', 'c', 'd']) pub.publish(text(value));
    const { stream } = subscribe({ endpoint: pub.endpoint, replayEndpoint: pub.replayEndpoint });
    const seen = async (from: bigint) => {
      const { messages, complete, late } = await stream.replay(from);
      return { values: messages.map(([seq, payload]) => `${seq}${Buffer.from(payload).toString()}`), complete, late };
    };
    expect(await seen(2n)).toEqual({ values: ['2c', '3d'], complete: true, late: false });
    expect(await seen(0n)).toEqual({ values: ['1b', '2c', '3d'], complete: true, late: true });
    expect(await seen(1_000_000n)).toEqual({ values: [], complete: true, late: false });
  });

  it('gives up on an engine that is not there or has no replay socket', async () => {
    const gone = await publisher();
    await gone.close();
    const { stream } = subscribe({ endpoint: gone.endpoint, replayEndpoint: gone.replayEndpoint });
    const nothing = { messages: [], complete: false, late: false };
    expect(await stream.replay(0n, { silenceMs: 50 })).toEqual(nothing);
    expect(await subscribe({ endpoint: gone.endpoint }).stream.replay(0n)).toEqual(nothing);
  });

  it.each(['after-09-from-5', 'beyond-end'])('has the frames of a real engine: %s', async (step) => {
    const exchange = capturedReplays().find((replay) => replay.step === step)!;
    const pub = await publisher();
    for (const { frames } of capturedMessages('plain').slice(0, 14)) pub.publish(frames[2]!);
    const socket = new Dealer({ linger: 0, receiveTimeout: 2_000 });
    cleanup.push(() => socket.close());
    socket.connect(pub.replayEndpoint!);
    await socket.send([...exchange.sent]);
    for (const expected of exchange.replies) {
      const frames = await socket.receive();
      expect(frames.map((frame) => frame.toString('hex'))).toEqual(expected.map((frame) => frame.toString('hex')));
    }
  });

  it('goes on after a request that makes no sense', async () => {
    const pub = await publisher();
    const socket = new Dealer({ linger: 0 });
    cleanup.push(() => socket.close());
    socket.connect(pub.replayEndpoint!);
    await socket.send(['', 'seq?']);
    await socket.send('x');
    const { stream } = subscribe({ endpoint: pub.endpoint, replayEndpoint: pub.replayEndpoint });
    expect(await stream.replay(0n)).toMatchObject({ complete: true });
  });
});

it('binds by the rule of vLLM', () => {
  expect(['tcp://*:5557', 'tcp://[::]:1', 'ipc:///tmp/x', 'inproc://x'].map(publisherBinds)).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(publisherBinds('tcp://127.0.0.1:5557')).toBe(false);
});
