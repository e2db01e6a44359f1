import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeKvBatch, kvBatchTimeMs } from './decode-kv-batch.ts';
import { encodeKvBatch } from './encode-kv-batch.ts';
import type { BlocksStored, EngineKvBatch } from './kv-event.ts';
import { KvDecodeError } from './msgpack-reader.ts';
import { capturedMessages } from './testing/captures.ts';
import { msgpack } from './testing/msgpack.ts';
import type { Value } from './testing/msgpack.ts';

const H1 = 15760518052499183552n;
const H2 = 0xffff_ffff_ffff_fffen;
const TOKENS = Array.from({ length: 8 }, (_, i) => 1000 + i);
const TIME = 1789095808.8378847;

const batchOf = (...events: Value[]): EngineKvBatch => decodeKvBatch(msgpack([TIME, events, 0]));

function storedIn(batch: EngineKvBatch): BlocksStored {
  const event = batch.events[0];
  if (event?.kind !== 'stored') throw new Error('no store event');
  return event;
}

/** Every form of a store that a release of an engine has sent: two blocks of four tokens. */
const STORES: readonly (readonly [version: string, event: Value, expected: Partial<BlocksStored>])[] = [
  ['vLLM before 0.11, positional', ['BlockStored', [H1, H2], null, TOKENS, 4, null], { medium: null }],
  ['vLLM 0.11, with medium', ['BlockStored', [H1, H2], 7, TOKENS, 4, null, 'GPU'], { parent: 7n, medium: 'GPU' }],
  ['with adapter id alone', ['BlockStored', [H1, H2], null, TOKENS, 4, 3, 'GPU'], { loraId: 3, loraName: 'lora-id:3' }],
  ['with adapter name', ['BlockStored', [H1, H2], null, TOKENS, 4, 3, 'GPU', 'sql'], { loraId: 3, loraName: 'sql' }],
  [
    'with extra keys',
    ['BlockStored', [H1, H2], null, TOKENS, 4, 3, 'GPU', 'sql', [['sql', 'alice'], ['sql']]],
    { loraName: 'sql', cacheSalt: 'alice', foreignKeys: null },
  ],
  [
    'with group and kind',
    ['BlockStored', [H1, H2], null, TOKENS, 4, null, 'GPU', null, null, 1, 'sliding_window', 4096],
    { groupIndex: 1, groupKind: 'sliding_window', slidingWindow: 4096 },
  ],
  [
    'vLLM 0.26, map',
    {
      type: 'BlockStored',
      block_hashes: [H1, H2],
      parent_block_hash: null,
      token_ids: TOKENS,
      block_size: 4,
      lora_id: null,
      medium: 'GPU',
      lora_name: null,
      extra_keys: [null, null],
      group_idx: 0,
      kv_cache_spec_kind: 'full_attention',
    },
    { groupIndex: 0, groupKind: 'full_attention', extraKeys: [null, null] },
  ],
  [
    'map with defaults left out and the tag last',
    { block_hashes: [H1, H2], token_ids: TOKENS, block_size: 4, type: 'BlockStored' },
    { parent: null, medium: null },
  ],
  [
    'session, locality and owner',
    {
      type: 'BlockStored',
      block_hashes: [H1, H2],
      token_ids: TOKENS,
      block_size: 4,
      session_id: 's-1',
      locality: 'REMOTE',
      ownership: 'tier-1',
    },
    { sessionId: 's-1' },
  ],
  [
    'SGLang, signed hashes and host tier',
    ['BlockStored', [H1 - 2n ** 64n, -2], null, TOKENS, 4, null, 'CPU_TIER1'],
    { tier: 'cpu', medium: 'CPU_TIER1' },
  ],
  [
    'SGLang, salt in a map where the adapter name is',
    ['BlockStored', [H1 - 2n ** 64n, -2], null, TOKENS, 4, null, 'GPU', { cache_salt: 'bob' }],
    { cacheSalt: 'bob', loraName: null },
  ],
  [
    'SGLang, map with salt',
    { type: 'BlockStored', block_hashes: [H1, -2], token_ids: TOKENS, block_size: 4, cache_salt: 'bob' },
    { cacheSalt: 'bob' },
  ],
];

describe('decodeKvBatch', () => {
  it.each(STORES)('reads a store: %s', (_version, event, expected) => {
    const batch = batchOf(event);
    const stored = storedIn(batch);
    expect([...stored.hashes]).toEqual([H1, H2]);
    expect([...stored.tokenIds]).toEqual(TOKENS);
    expect(stored.blockSize).toBe(4);
    expect(stored).toMatchObject({ parent: null, tier: 'hbm', cacheSalt: null, ...expected });
    expect(batch).toMatchObject({ timeMs: TIME * 1000, dpRank: 0, unknown: 0, bigrams: 0 });
  });

  it('counts fields that it does not know', () => {
    const event = {
      type: 'BlockStored',
      block_hashes: [1],
      token_ids: [1],
      block_size: 1,
      locality: 'LOCAL',
      new: [{}],
    };
    expect(batchOf(event)).toMatchObject({ unknown: 0, unknownFields: 2 });
    expect(batchOf(['BlockRemoved', [1], 'GPU', 0, 'more'])).toMatchObject({ unknown: 0, unknownFields: 1 });
  });

  it.each([
    ['positional', ['BlockRemoved', [H1], 'CPU', 2], { tier: 'cpu', groupIndex: 2 }],
    ['positional, cut short', ['BlockRemoved', [H1]], { tier: 'hbm', groupIndex: null }],
    ['map', { type: 'BlockRemoved', block_hashes: [H1], medium: 'GPU', group_idx: 0 }, { tier: 'hbm', groupIndex: 0 }],
    ['map, defaults left out', { type: 'BlockRemoved', block_hashes: [H1] }, { tier: 'hbm', groupIndex: null }],
    ['map with salt', { type: 'BlockRemoved', block_hashes: [H1], cache_salt: 'x' }, { cacheSalt: 'x' }],
  ] as const)('reads a removal: %s', (_form, event, expected) => {
    const [read] = batchOf(event).events;
    expect(read).toMatchObject({ kind: 'removed', ...expected });
    expect(read?.kind === 'removed' && [...read.hashes]).toEqual([H1]);
  });

  it.each([[['AllBlocksCleared']], [{ type: 'AllBlocksCleared' }]])('reads a reset: %j', (event) => {
    expect(batchOf(event).events).toEqual([{ kind: 'cleared' }]);
  });

  it.each([
    ['array', [TIME, [['AllBlocksCleared']], 3], 3],
    ['array without rank', [TIME, [['AllBlocksCleared']]], null],
    ['array with nil rank', [TIME, [['AllBlocksCleared']], null], null],
    ['array with more', [TIME, [['AllBlocksCleared']], 1, 'new'], 1],
    ['map', { ts: TIME, events: [['AllBlocksCleared']], data_parallel_rank: 2 }, 2],
    ['map without rank', { events: [['AllBlocksCleared']], ts: TIME }, null],
    ['events packed as binary', [TIME, msgpack([['AllBlocksCleared']]), 0], 0],
    ['each event packed as binary', [TIME, [msgpack(['AllBlocksCleared'])], 0], 0],
  ] as const)('reads the envelope: %s', (_form, value, dpRank) => {
    const batch = decodeKvBatch(msgpack(value));
    expect(batch.events).toEqual([{ kind: 'cleared' }]);
    expect(batch).toMatchObject({ dpRank, timeMs: TIME * 1000 });
  });

  it('takes the last 8 bytes of byte hashes, so that both forms of a hash agree', () => {
    const digest = new Uint8Array(32).map((_, i) => i * 7);
    const expected = Buffer.from(digest).readBigUInt64BE(24);
    const stored = storedIn(
      batchOf({
        type: 'BlockStored',
        block_hashes: [digest, expected],
        parent_block_hash: digest,
        token_ids: TOKENS,
        block_size: 4,
      }),
    );
    expect([...stored.hashes]).toEqual([expected, expected]);
    expect(stored.parent).toBe(expected);
    expect([...storedIn(batchOf(['BlockStored', [new Uint8Array([1, 2])], null, [1], 1])).hashes]).toEqual([0x102n]);
  });

  it('reads announcements of hashes alone', () => {
    const stored = storedIn(batchOf(['BlockStored', [H1], 0, [], 0, null, 'SHARED_STORAGE']));
    expect(stored).toMatchObject({ tier: 'remote', blockSize: 0 });
    expect(stored.tokenIds).toHaveLength(0);
  });

  it('flattens bigram pairs and counts them', () => {
    const batch = batchOf(['BlockStored', [H1], null, [[1, 2], [2, 3], [3, 4], 4], 4]);
    expect([...storedIn(batch).tokenIds]).toEqual([1, 2, 3, 4]);
    expect(batch.bigrams).toBe(3);
  });

  it('keeps what a block depends on besides tokens, adapter and salt', () => {
    const keys = [[['image-1', 3], 'salt'], null, [['image-2', -1], new Uint8Array([0xab])]];
    const stored = storedIn(batchOf(['BlockStored', [1, 2, 3], null, [1, 2, 3], 1, null, 'GPU', null, keys]));
    expect(stored.cacheSalt).toBe('salt');
    expect(stored.foreignKeys).toEqual(['[["image-1",3]]', null, '[["image-2",-1],"ab"]']);
    // a bare text in a later block is no salt: vLLM puts the salt into the first block of a sequence
    const later = storedIn(batchOf(['BlockStored', [2], 1, [2], 1, null, 'GPU', null, [['image-3']]]));
    expect(later).toMatchObject({ cacheSalt: null, foreignKeys: ['["image-3"]'] });
  });

  it.each([
    ['unknown tag', ['BlockInactive', [1]]],
    ['unknown tag in a map', { type: 'BlockTransferred', block_hashes: [1] }],
    ['no tag', { block_hashes: [1] }],
    ['empty', []],
    ['no event', 7],
    ['unknown tier', ['BlockStored', [1], null, [1], 1, null, 'MARS']],
    ['text as hash', ['BlockStored', ['a'], null, [1], 1]],
    ['text as parent', ['BlockStored', [1], 'a', [1], 1]],
    ['negative token', ['BlockStored', [1], null, [-1], 1]],
    ['token beyond 32 bits', ['BlockStored', [1], null, [2 ** 33], 1]],
    ['text as tokens', ['BlockStored', [1], null, 'abc', 1]],
    ['hashes missing', { type: 'BlockRemoved' }],
  ] as const)('counts and leaves out: %s', (_what, event) => {
    const batch = batchOf(event, ['BlockRemoved', [H1]]);
    expect(batch.unknown).toBe(1);
    expect(batch.events).toEqual([expect.objectContaining({ kind: 'removed' })]);
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['a number', msgpack(7)],
    ['no events', msgpack([TIME])],
    ['no time', msgpack({ events: [] })],
    ['text as events', msgpack([TIME, 'x'])],
    ['a length beyond the end', new Uint8Array([0x93, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0, 0xdd, 0xff, 0xff, 0xff, 0xff])],
    ['never used byte', new Uint8Array([0xc1])],
    ['deep nesting', msgpack([TIME, [], 0, ...[nested(200)]])],
  ])('refuses %s', (_what, bytes) => {
    expect(() => decodeKvBatch(bytes)).toThrow(KvDecodeError);
  });

  it('never fails but by its own error', () => {
    const captured = capturedMessages().map(({ frames }) => frames[2]!);
    const damaged = fc
      .tuple(fc.constantFrom(...captured), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }), fc.nat())
      .map(([payload, changes, cut]) => {
        const bytes = Uint8Array.from(payload);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), (bytes) => {
        try {
          const { events } = decodeKvBatch(bytes);
          expect(Array.isArray(events)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(KvDecodeError);
        }
      }),
      { seed: 7, numRuns: 4_000 },
    );
  });

  it('refuses every truncation of a captured batch', () => {
    for (const { frames } of capturedMessages().filter(({ frames: f }) => f[2]!.length < 700)) {
      const payload = frames[2]!;
      for (let length = 0; length < payload.length - 1; length += 7) {
        expect(() => decodeKvBatch(payload.subarray(0, length))).toThrow(KvDecodeError);
      }
    }
  });
});

describe('kvBatchTimeMs', () => {
  it('is the time that decoding finds, and null where decoding fails', () => {
    for (const { frames } of capturedMessages())
      expect(kvBatchTimeMs(frames[2]!)).toBe(decodeKvBatch(frames[2]!).timeMs);
    expect(kvBatchTimeMs(msgpack({ events: [], ts: TIME }))).toBe(TIME * 1000);
    for (const bytes of [new Uint8Array(0), msgpack(['x', []]), msgpack([TIME]), msgpack(7), msgpack({ ts: TIME })]) {
      expect(kvBatchTimeMs(bytes)).toBeNull();
    }
  });
});

describe('captured batches', () => {
  it('are known in every part', () => {
    for (const { frames } of capturedMessages()) {
      expect(decodeKvBatch(frames[2]!)).toMatchObject({ unknown: 0, unknownFields: 0, bigrams: 0 });
    }
  });

  it('are equal byte for byte after decoding and encoding, but for hashes of 32 bytes', () => {
    let equal = 0;
    for (const { capture, step, frames } of capturedMessages()) {
      const payload = frames[2]!;
      const again = encodeKvBatch(decodeKvBatch(payload), 'map');
      if (capture === 'pd-example-connector' && payload.length !== again.length) {
        // the decoder keeps 8 bytes of each: what it makes of the shorter form is the same
        expect(decodeKvBatch(again)).toEqual(decodeKvBatch(payload));
      } else {
        expect({ step, bytes: Buffer.from(again).toString('hex') }).toEqual({ step, bytes: payload.toString('hex') });
        equal++;
      }
    }
    expect(equal).toBe(63);
  });

  it('mean the same in the positional form', () => {
    for (const { frames } of capturedMessages()) {
      const batch = decodeKvBatch(frames[2]!);
      const events = batch.events.map((event) => (event.kind === 'stored' ? { ...event, sessionId: null } : event));
      expect(decodeKvBatch(encodeKvBatch(batch, 'array'))).toEqual({ ...batch, events });
    }
  });

  it('have the same hashes as integers and as bytes', () => {
    const hashes = (step: string): bigint[] =>
      capturedMessages('pd-example-connector')
        .filter((message) => message.step === step)
        .flatMap(({ frames }) => [...storedIn(decodeKvBatch(frames[2]!)).hashes]);
    expect(hashes('05-tokens-int-hash')).toEqual(hashes('05-tokens-byte-hash'));
    expect(hashes('01-prefill')).toHaveLength(12);
  });

  it('name salts, adapters, sessions and ranks', () => {
    const stores = capturedMessages().flatMap(({ step, frames }) => {
      const batch = decodeKvBatch(frames[2]!);
      return batch.events
        .filter((event) => event.kind === 'stored')
        .map((event) => ({ step, dpRank: batch.dpRank, ...event }));
    });
    const of = (step: string) => stores.find((store) => store.step === step);
    expect(of('05-chat-cache-salt-alice')).toMatchObject({ cacheSalt: 'tenant-alice', foreignKeys: null });
    expect(of('lora-salt')).toMatchObject({
      cacheSalt: 's1',
      loraName: 'lora-one',
      loraId: 1,
      foreignKeys: null,
      dpRank: 1,
    });
    expect(of('09b-session-id')).toMatchObject({ sessionId: 'sess-1', groupKind: 'full_attention' });
    expect(of('01-chat-first')).toMatchObject({ cacheSalt: null, loraName: null, blockSize: 32, dpRank: 0 });
  });
});

function nested(depth: number): Value {
  let value: Value = [];
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}
