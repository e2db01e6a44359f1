import { describe, expect, it } from '@jest/globals';
import { decodeKvBatch } from './decode-kv-batch.ts';
import { encodeKvBatch } from './encode-kv-batch.ts';
import type { BlocksStoredInput } from './kv-event.ts';
import { capturedMessages } from './testing/captures.ts';
import { msgpack } from './testing/msgpack.ts';

const payloadOf = (step: string): Buffer => capturedMessages().find((message) => message.step === step)!.frames[2]!;

/** A captured store with only what an engine knows when it makes one. */
function bare(step: string): { timeMs: number; dpRank: number | null; event: BlocksStoredInput } {
  const { timeMs, dpRank, events } = decodeKvBatch(payloadOf(step));
  const event = events[0];
  if (event?.kind !== 'stored') throw new Error('no store event');
  const { kind, hashes, parent, tokenIds, blockSize, loraId, loraName, cacheSalt } = event;
  const group = { groupIndex: 0, groupKind: 'full_attention' };
  return {
    timeMs,
    dpRank,
    event: { kind, hashes, parent, tokenIds, blockSize, loraId, loraName, cacheSalt, ...group },
  };
}

describe('encodeKvBatch', () => {
  it.each(['01-chat-first', '05-chat-cache-salt-alice', 'lora-first', 'lora-salt'])(
    'derives what vLLM derives: %s',
    (step) => {
      const { timeMs, dpRank, event } = bare(step);
      const bytes = encodeKvBatch({ timeMs, dpRank, events: [event] });
      expect(Buffer.from(bytes).toString('hex')).toBe(payloadOf(step).toString('hex'));
    },
  );

  it('writes positional events with every field in its place', () => {
    const bytes = encodeKvBatch(
      {
        timeMs: 1500,
        dpRank: null,
        events: [
          {
            kind: 'stored',
            hashes: BigUint64Array.of(2n ** 63n, 5n),
            parent: 9n,
            tokenIds: Uint32Array.of(1, 300, 70_000, 5),
            blockSize: 2,
            loraId: 1,
            loraName: 'a',
            groupIndex: 0,
          },
          { kind: 'removed', hashes: BigUint64Array.of(5n), tier: 'cpu' },
          { kind: 'cleared' },
        ],
      },
      'array',
    );
    const expected = [
      1.5,
      [
        ['BlockStored', [2n ** 63n, 5], 9, [1, 300, 70_000, 5], 2, 1, 'GPU', 'a', [['a'], ['a']], 0, null, null],
        ['BlockRemoved', [5], 'CPU', null],
        ['AllBlocksCleared'],
      ],
      null,
    ];
    expect(Buffer.from(bytes).toString('hex')).toBe(Buffer.from(msgpack(expected)).toString('hex'));
  });

  it('is not disturbed by a batch that failed before', () => {
    const broken = { kind: 'stored', hashes: BigUint64Array.of(1n) } as unknown as BlocksStoredInput;
    expect(() => encodeKvBatch({ timeMs: 1, dpRank: 0, events: [broken] })).toThrow();
    expect(decodeKvBatch(encodeKvBatch({ timeMs: 2, dpRank: 0, events: [] }))).toMatchObject({ timeMs: 2, events: [] });
  });
});
