import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ALL_TIERS } from '@sluice/model';
import { type KvBatchSink, KvBatchWriter, KvFlag, readKvBatch, readKvBatchHeader } from './kv-batch.ts';

type Op =
  | { kind: 'store'; tier: number; key: [number, number]; parent: [number, number]; spanBytes: number; tokens: number }
  | { kind: 'remove'; tier: number; key: [number, number] }
  | { kind: 'clear'; tier: number };

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const key = fc.tuple(u32, u32);
const tier = fc.constantFrom(0, 1, 2, 3, ALL_TIERS);
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ kind: fc.constant('store' as const), tier, key, parent: key, spanBytes: u32, tokens: fc.nat(0xffff) }),
  fc.record({ kind: fc.constant('remove' as const), tier, key }),
  fc.record({ kind: fc.constant('clear' as const), tier }),
);

function write(writer: KvBatchWriter, ops: readonly Op[]): void {
  for (const o of ops) {
    if (o.kind === 'store') writer.store(o.tier, ...o.key, ...o.parent, o.spanBytes, o.tokens);
    else if (o.kind === 'remove') writer.remove(o.tier, ...o.key);
    else writer.clear(o.tier);
  }
}

function collector(): { ops: Op[]; sink: KvBatchSink } {
  const ops: Op[] = [];
  const sink: KvBatchSink = {
    store: (tier, hi, lo, parentHi, parentLo, spanBytes, tokens) =>
      ops.push({ kind: 'store', tier, key: [hi, lo], parent: [parentHi, parentLo], spanBytes, tokens }),
    remove: (tier, hi, lo) => ops.push({ kind: 'remove', tier, key: [hi, lo] }),
    clear: (tier) => ops.push({ kind: 'clear', tier }),
  };
  return { ops, sink };
}

describe('KV batch', () => {
  it('comes back as it was written, from a reused writer and at any offset of a larger buffer', () => {
    const writer = new KvBatchWriter();
    fc.assert(
      fc.property(fc.array(op, { maxLength: 150 }), u32, fc.nat(20), (ops, seq, offset) => {
        write(writer, ops);
        expect(writer.operations).toBe(ops.length);
        const header = { flags: KvFlag.BEGIN, epoch: 1795408836621.25, seq, engineTimeMs: 17.5 };
        const bytes = writer.finish(header);
        const moved = new Uint8Array(bytes.length + offset).subarray(offset);
        moved.set(bytes);
        const { ops: read, sink } = collector();
        expect(readKvBatch(moved, sink)).toEqual({ ...header, operations: ops.length });
        expect(read).toEqual(ops);
      }),
      { seed: 21 },
    );
  });

  it('refuses what is cut short, too long, of another version or of an unknown kind, and hands nothing over', () => {
    const writer = new KvBatchWriter();
    write(writer, [
      { kind: 'clear', tier: 0 },
      { kind: 'clear', tier: 1 },
    ]);
    const good = writer.finish({ flags: 0, epoch: 1, seq: 0, engineTimeMs: 0 });
    const refused = (change: (bytes: Uint8Array) => Uint8Array): RegExp | string => {
      const { ops, sink } = collector();
      let message = 'accepted';
      try {
        readKvBatch(change(good.slice()), sink);
      } catch (error) {
        message = (error as Error).message;
      }
      expect(ops).toEqual([]);
      return message;
    };
    expect(refused((b) => b.subarray(0, 10))).toMatch(/10 bytes is shorter/);
    expect(refused((b) => b.subarray(0, b.length - 1))).toMatch(/does not hold 2 operations/);
    expect(refused((b) => new Uint8Array([...b, 0]))).toMatch(/does not hold 2 operations/);
    expect(refused((b) => b.fill(9, 0, 1))).toMatch(/version 9/);
    expect(refused((b) => b.fill(7, b.length - 24, b.length - 23))).toMatch(/unknown kind 7/);
    expect(readKvBatchHeader(good).operations).toBe(2);
  });
});
