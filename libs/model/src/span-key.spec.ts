import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { rootKey, spanKey } from './span-key.ts';

const keyOf = (
  parent: readonly [number, number],
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): [number, number] => {
  const out = new Uint32Array(2);
  spanKey(parent[0], parent[1], bytes, start, end, out);
  return [out[0]!, out[1]!];
};
const rootOf = (pool: string, lora: string | null, salt: string | null): string => {
  const out = new Uint32Array(2);
  rootKey({ pool, lora, salt }, out);
  return `${out[0]}:${out[1]}`;
};
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('spanKey', () => {
  it('never changes: stored keys outlive a release', () => {
    expect(keyOf([0, 0], utf8(''))).toEqual(GOLDEN.empty);
    expect(keyOf([1, 2], utf8('a'))).toEqual(GOLDEN.one);
    expect(keyOf([0xdeadbeef, 0xffffffff], utf8('The quick brown fox jumps over the lazy dog'))).toEqual(GOLDEN.fox);
    expect(rootOf('pool', null, null)).toBe(GOLDEN.root);
  });

  it('depends on the bytes of the span alone, wherever they stand', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        fc.uint8Array({ maxLength: 9 }),
        fc.uint8Array({ maxLength: 9 }),
        (span, before, after) => {
          const text = new Uint8Array([...before, ...span, ...after]);
          expect(keyOf([7, 9], text, before.length, before.length + span.length)).toEqual(keyOf([7, 9], span));
          expect(keyOf([7, 9], text.subarray(before.length), 0, span.length)).toEqual(keyOf([7, 9], span));
        },
      ),
      { seed: 11 },
    );
  });

  it('tells apart spans that differ in one bit, in length or in parent', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 70 }), fc.nat(), fc.nat(7), (span, at, bit) => {
        const other = span.slice();
        other[at % span.length]! ^= 1 << bit;
        const key = keyOf([3, 4], span);
        expect(keyOf([3, 4], other)).not.toEqual(key);
        expect(keyOf([3, 4], new Uint8Array([...span, 0]))).not.toEqual(key);
        expect(keyOf([3, 5], span)).not.toEqual(key);
        expect(keyOf([4, 4], span)).not.toEqual(key);
      }),
      { seed: 12 },
    );
  });

  it('spreads: 200,000 similar spans have no two keys alike, and every key bit is set in about half of them', () => {
    const seen = new Set<bigint>();
    const ones = new Uint32Array(64);
    const count = 200_000;
    for (let i = 0; i < count; i++) {
      const [hi, lo] = keyOf([0, i & 1], utf8(`user ${i >>> 1} asks`));
      const key = (BigInt(hi) << 32n) | BigInt(lo);
      seen.add(key);
      for (let bit = 0; bit < 32; bit++) {
        ones[bit]! += (lo >>> bit) & 1;
        ones[32 + bit]! += (hi >>> bit) & 1;
      }
    }
    expect(seen.size).toBe(count);
    for (const n of ones) expect(Math.abs(n / count - 0.5)).toBeLessThan(0.01);
  });

  it('never yields the reserved key (0, 0)', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), fc.uint8Array({ maxLength: 40 }), (hi, lo, bytes) => {
        expect(keyOf([hi, lo], bytes)).not.toEqual([0, 0]);
      }),
      { seed: 13 },
    );
  });
});

describe('rootKey', () => {
  it('separates pool, adapter and salt, and a missing one from an empty one', () => {
    const roots = [
      rootOf('a', null, null),
      rootOf('a', '', null),
      rootOf('a', null, ''),
      rootOf('a', 'x', null),
      rootOf('a', null, 'x'),
      rootOf('b', null, null),
    ];
    expect(new Set(roots).size).toBe(roots.length);
  });
});

const GOLDEN = {
  empty: [0, 1],
  one: [2501627934, 302405426],
  fox: [1122512503, 634149223],
  root: '862208438:4143835602',
};
