import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeKvBatch, encodeKvBatch } from '@sluice/engine-wire';
import type { EngineKvBatch, EngineKvEvent } from '@sluice/engine-wire';
import { Dealer, Subscriber } from 'zeromq';
import { rawRequest } from './testing/raw-http.ts';
import { closeSimulators, simulatorWith, until } from './testing/simulators.ts';
import type { RunningSimulator } from './start-simulator.ts';

const hex = (frames: string[]): Buffer[] => frames.map((frame) => Buffer.from(frame, 'hex'));
const capture = JSON.parse(readFileSync(new URL('../testdata/kv-events.json', import.meta.url), 'utf8')) as {
  published: string[][];
  replays: { sent: string[]; replies: string[][] }[];
};

const EVENTS = ['--kv-events', 'tcp://127.0.0.1:*', '--kv-events-replay', 'tcp://127.0.0.1:*'];
const shape = ['--block-size', '32', '--kv-blocks', '20', '--max-model-len', '600', '--speed', '100'];
let simulator: RunningSimulator;
const published: Buffer[][] = [];
const sockets: Subscriber[] = [];

const complete = async (url: string, body: object, headers: Record<string, string> = {}): Promise<unknown> => {
  const answer = await rawRequest(url, {
    method: 'POST',
    path: '/v1/completions',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
  return JSON.parse(answer.body);
};
const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

/** Subscribes and reads into `into`; returns once messages arrive for certain. */
async function follow(endpoint: string, into: Buffer[][]): Promise<void> {
  const socket = new Subscriber();
  sockets.push(socket);
  socket.connect(endpoint);
  socket.subscribe('');
  void (async () => {
    for await (const frames of socket) into.push(frames);
  })();
  await new Promise((resolve) => setTimeout(resolve, 100));
}

async function replay(endpoint: string, start: bigint): Promise<Buffer[][]> {
  const dealer = new Dealer({ linger: 0 });
  dealer.connect(endpoint);
  const from = Buffer.alloc(8);
  from.writeBigUInt64BE(start);
  await dealer.send(['', from]);
  const replies: Buffer[][] = [];
  for await (const frames of dealer) {
    replies.push(frames);
    if (frames.at(-1)!.length === 0) break;
  }
  dealer.close();
  return replies;
}

beforeAll(async () => {
  simulator = await simulatorWith(...shape, ...EVENTS, '--kv-events-topic', 'kv-events');
  await follow(simulator.kvEvents[0]!, published);
  // the steps of the capture: a prompt and its decode-filled block, the prompt again, a salt, eviction, reset
  await complete(simulator.url, { prompt: range(100, 190), max_tokens: 8 });
  await complete(simulator.url, { prompt: range(100, 190), max_tokens: 8 });
  await complete(simulator.url, { prompt: range(100, 190), max_tokens: 8, cache_salt: 'tenant-alice' });
  await complete(simulator.url, { prompt: range(1000, 500), max_tokens: 2 });
  const reset = await rawRequest(simulator.url, { method: 'POST', path: '/reset_prefix_cache' });
  expect(reset.body).toBe('{"success":true}');
  await complete(simulator.url, { prompt: range(100, 70), max_tokens: 2 });
  await until(() => published.length >= 7);
});
afterAll(async () => {
  for (const socket of sockets) socket.close();
  await closeSimulators();
});

const STORED_KEYS = ['block_hashes', 'parent_block_hash', 'token_ids', 'block_size', 'lora_id', 'medium', 'lora_name'];

describe.each([
  ['vLLM 0.32.0, captured', () => capture.published.map(hex)],
  ['the simulator', () => published],
])('KV events of %s', (_name, messages) => {
  it('come as topic, sequence number in 8 bytes, and payload', () => {
    let last = -1n;
    for (const frames of messages()) {
      expect(frames.map((frame) => frame.length)).toEqual([9, 8, expect.any(Number)]);
      expect(frames[0]!.toString()).toBe('kv-events');
      const seq = frames[1]!.readBigUInt64BE();
      expect(seq).toBeGreaterThan(last);
      last = seq;
    }
  });

  it('are maps with the fields of vLLM in its order', () => {
    for (const [, , payload] of messages()) {
      const batch = decodeKvBatch(payload!);
      expect(batch).toMatchObject({ dpRank: 0, unknown: 0, unknownFields: 0 });
      expect(batch.timeMs).toBeGreaterThan(1_700_000_000_000);
      // encoding what was decoded gives the same bytes: nothing is left out, nothing is in another form
      expect(Buffer.from(encodeKvBatch(batch, 'map')).equals(payload!)).toBe(true);
      if (!batch.events.some(({ kind }) => kind === 'stored')) continue;
      const text = payload!.toString('latin1');
      const positions = [...STORED_KEYS, 'extra_keys', 'group_idx', 'kv_cache_spec_kind'].map((key) =>
        text.indexOf(key, text.indexOf('BlockStored')),
      );
      expect(positions).toEqual([...positions].sort((a, b) => a - b));
      expect(positions[0]).toBeGreaterThan(0);
    }
  });

  it('store whole blocks on the accelerator, below the block before them', () => {
    for (const event of eventsOf(messages())) {
      if (event.kind !== 'stored') continue;
      expect(event).toMatchObject({ blockSize: 32, medium: 'GPU', groupIndex: 0, groupKind: 'full_attention' });
      expect(event.tokenIds.length).toBe(32 * event.hashes.length);
      expect(event.extraKeys).toHaveLength(event.hashes.length);
    }
  });

  it('announce duplicates of a hash again, remove one block an event, and clear with the next step', () => {
    const events = eventsOf(messages());
    const removed = events.filter((event) => event.kind === 'removed');
    expect(removed.length).toBeGreaterThan(0);
    for (const { hashes } of removed) expect(hashes).toHaveLength(1);
    const clear = messages()
      .map(([, , payload]) => decodeKvBatch(payload!).events.map(({ kind }) => kind))
      .find((kinds) => kinds.includes('cleared'));
    expect(clear).toEqual(['cleared', 'stored']);
  });

  it('name a salt in the first block only', () => {
    const salted = eventsOf(messages()).filter(
      (event) => event.kind === 'stored' && event.cacheSalt === 'tenant-alice',
    );
    expect(salted).toHaveLength(1);
    expect(salted[0]).toMatchObject({ extraKeys: [['tenant-alice'], null, null, null, null] });
  });
});

const eventsOf = (messages: Buffer[][]): EngineKvEvent[] =>
  messages.flatMap(([, , payload]) => decodeKvBatch(payload!).events);

describe.each([
  ['vLLM 0.32.0, captured', (start: bigint) => Promise.resolve(capturedReplay(start))],
  ['the simulator', (start: bigint) => replay(simulator.replay[0]!, start)],
])('replay of %s', (_name, ask) => {
  it('sends topic, sequence and payload behind an empty frame, and an end marker', async () => {
    const [first, ...rest] = await ask(0n);
    expect(first!.map((frame) => frame.length)).toEqual([0, 9, 8, expect.any(Number)]);
    expect(first![2]!.readBigUInt64BE()).toBe(0n);
    expect(rest.at(-1)!.map((frame) => frame.toString('hex'))).toEqual(['', '', 'ffffffffffffffff', '']);
  });

  it('starts at the sequence number asked for; beyond the end there is only the end', async () => {
    expect((await ask(5n))[0]![2]!.readBigUInt64BE()).toBe(5n);
    const beyond = await ask(1_000_000n);
    expect(beyond.at(-1)!.map((frame) => frame.length)).toEqual([0, 0, 8, 0]);
    expect(beyond.every((frames) => frames.at(-1)!.length === 0)).toBe(true);
  });
});

function capturedReplay(start: bigint): Buffer[][] {
  const { replies } = capture.replays.find(({ sent }) => Buffer.from(sent[1]!, 'hex').readBigUInt64BE() === start)!;
  return replies.map(hex);
}

describe('the simulator', () => {
  it('replays exactly what it published', async () => {
    const replayed = (await replay(simulator.replay[0]!, 0n)).slice(0, -1).map((frames) => frames.slice(1));
    expect(replayed.map((frames) => Buffer.concat(frames).toString('hex'))).toEqual(
      published.map((frames) => Buffer.concat(frames).toString('hex')),
    );
  });

  it('stores the prompt, then the block that decoding filled, and that one again for the second answer', () => {
    const batches = published.slice(0, 3).map(([, , payload]): EngineKvBatch => decodeKvBatch(payload!));
    const stored = batches.map(({ events: [event] }) => (event?.kind === 'stored' ? [...event.hashes] : []));
    expect(stored.map((hashes) => hashes.length)).toEqual([5, 1, 1]);
    expect(stored[2]).toEqual(stored[1]);
  });

  it('evicts as many copies as it had stored', () => {
    const balance = new Map<bigint, number>();
    for (const event of eventsOf(published)) {
      if (event.kind === 'cleared') balance.clear();
      else
        for (const hash of event.hashes) {
          balance.set(hash, (balance.get(hash) ?? 0) + (event.kind === 'stored' ? 1 : -1));
        }
    }
    expect([...balance.values()].every((copies) => copies >= 0)).toBe(true);
    expect([...balance.values()].reduce((a, b) => a + b, 0)).toBe(2);
  });

  it('publishes each rank on its own port, and adapters with their name', async () => {
    const ranks = await simulatorWith(...shape, ...EVENTS, '--data-parallel-size', '2', '--lora', 'lora-one');
    const messages: [Buffer[][], Buffer[][]] = [[], []];
    await Promise.all(messages.map((into, rank) => follow(ranks.kvEvents[rank]!, into)));
    await complete(ranks.url, { prompt: range(0, 64), max_tokens: 1 }, { 'x-data-parallel-rank': '1' });
    await complete(
      ranks.url,
      { model: 'lora-one', prompt: range(0, 64), max_tokens: 1 },
      { 'x-data-parallel-rank': '0' },
    );
    await until(() => messages.every((of) => of.length > 0));
    const [zero, one] = messages.map(([first]) => decodeKvBatch(first![2]!));
    expect([zero!.dpRank, one!.dpRank]).toEqual([0, 1]);
    expect(zero!.events).toMatchObject([
      { kind: 'stored', loraName: 'lora-one', extraKeys: [['lora-one'], ['lora-one']] },
    ]);
    expect(one!.events).toMatchObject([{ kind: 'stored', loraName: null, extraKeys: [null, null] }]);
  });

  it('writes positional arrays when told to', async () => {
    const old = await simulatorWith(...shape, ...EVENTS, '--kv-events-form', 'array');
    const messages: Buffer[][] = [];
    await follow(old.kvEvents[0]!, messages);
    await complete(old.url, { prompt: range(0, 64), max_tokens: 1 });
    await until(() => messages.length > 0);
    const payload = messages[0]![2]!;
    const batch = decodeKvBatch(payload);
    expect(batch.events).toMatchObject([{ kind: 'stored', medium: 'GPU' }]);
    expect(payload.includes('block_hashes')).toBe(false);
    expect(Buffer.from(encodeKvBatch(batch, 'array')).equals(payload)).toBe(true);
  });
});
