import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BlockDirectory, CONFIRMED, EXPECTED } from './block-directory.ts';

const ROWS = 40;

/** Sets of rows by the name of the block. */
class NaiveDirectory {
  readonly confirmed = new Map<string, Set<number>>();
  readonly expected = new Map<string, Set<number>>();

  add(sets: Map<string, Set<number>>, key: string, row: number): boolean {
    const rows = sets.get(key) ?? new Set();
    sets.set(key, rows);
    return !rows.has(row) && rows.add(row).size > 0;
  }

  remove(sets: Map<string, Set<number>>, key: string, row: number): void {
    sets.get(key)?.delete(row);
  }

  get size(): number {
    const keys = [...this.confirmed, ...this.expected].filter(([, rows]) => rows.size > 0).map(([key]) => key);
    return new Set(keys).size;
  }
}

// few low words that collide in small tables, the ends of the table and signs among them
const key = fc.record({ hi: fc.integer({ min: -3, max: 60 }), lo: fc.constantFrom(1, 2, 1023, 1024, -1, -1025) });
const row = fc.constantFrom(0, 1, 31, 32, 39);
const step = fc.record({
  do: fc.constantFrom('confirm', 'confirm', 'unconfirm', 'expect', 'expect', 'unexpect', 'forget'),
  key,
  row,
});
const chain = fc.array(key, { maxLength: 12 });

describe('BlockDirectory', () => {
  it('does what sets by name do, through growth, collisions and removals', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.array(chain, { maxLength: 4 }),
        fc.uniqueArray(row),
        (steps, chains, rows) => {
          const directory = new BlockDirectory(ROWS);
          const naive = new NaiveDirectory();
          // enough of one key's neighbours to make the table grow
          for (let i = 0; i < 600; i++) {
            directory.confirm(2, 100 + i, 512 + (i % 40));
            naive.add(naive.confirmed, `${100 + i}/${512 + (i % 40)}`, 2);
          }
          for (const { do: what, key: each, row: at } of steps) {
            const { hi, lo } = each;
            const name = `${hi}/${lo}`;
            if (what === 'confirm') expect(directory.confirm(at, hi, lo)).toBe(naive.add(naive.confirmed, name, at));
            else if (what === 'expect') expect(directory.expect(at, hi, lo)).toBe(naive.add(naive.expected, name, at));
            else if (what === 'forget') {
              directory.unconfirmAll(at);
              for (const held of naive.confirmed.values()) held.delete(at);
            } else if (what === 'unconfirm') {
              directory.unconfirm(at, hi, lo);
              naive.remove(naive.confirmed, name, at);
            } else {
              directory.unexpect(at, hi, lo);
              naive.remove(naive.expected, name, at);
            }
            const confirmed = naive.confirmed.get(name)?.has(at) === true ? CONFIRMED : 0;
            const expected = naive.expected.get(name)?.has(at) === true ? EXPECTED : 0;
            expect(directory.holding(at, hi, lo)).toBe(confirmed | expected);
          }
          expect(directory.size).toBe(naive.size);
          for (const keys of chains) expect(matchesOf(directory, keys, rows)).toEqual(naiveMatches(naive, keys, rows));
        },
      ),
      { seed: 20261125, numRuns: 60 },
    );
  });
});

interface Key {
  readonly hi: number;
  readonly lo: number;
}

/** Blocks confirmed and held by row; -1 for rows that were not asked for. */
function matchesOf(directory: BlockDirectory, keys: readonly Key[], rows: readonly number[]): number[][] {
  const set = new Int32Array(2);
  for (const each of rows) set[each >>> 5]! |= 1 << (each & 31);
  const [confirmed, held] = [new Int32Array(ROWS).fill(-1), new Int32Array(ROWS).fill(-1)];
  const words = Int32Array.from(keys.flatMap(({ hi, lo }) => [lo, hi]));
  directory.match(words, keys.length, set, confirmed, held);
  return [[...confirmed], [...held]];
}

function naiveMatches(naive: NaiveDirectory, keys: readonly Key[], rows: readonly number[]): number[][] {
  const names = keys.map(({ hi, lo }) => `${hi}/${lo}`);
  const confirms = (name: string, at: number): boolean => naive.confirmed.get(name)?.has(at) === true;
  const holds = (name: string, at: number): boolean => confirms(name, at) || naive.expected.get(name)?.has(at) === true;
  const leading = (has: (name: string, at: number) => boolean, at: number): number => {
    const gap = names.findIndex((name) => !has(name, at));
    return gap < 0 ? names.length : gap;
  };
  return [confirms, holds].map((has) =>
    Array.from({ length: ROWS }, (_, at) => (rows.includes(at) ? leading(has, at) : -1)),
  );
}
