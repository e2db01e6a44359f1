import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RowSets } from './row-sets.ts';

const ROWS = 70;
const step = fc.record({ set: fc.nat({ max: 4 }), row: fc.constantFrom(0, 1, 31, 32, 63, 64, 69), add: fc.boolean() });

describe('RowSets', () => {
  it('does what sets of numbers do, and names the empty set 0', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const sets = new RowSets(ROWS);
        const names = [0, 0, 0, 0, 0];
        const naive = names.map(() => new Set<number>());
        for (const { set, row, add } of steps) {
          names[set] = add ? sets.with(names[set]!, row) : sets.without(names[set]!, row);
          if (add) naive[set]!.add(row);
          else naive[set]!.delete(row);
          for (const [each, rows] of naive.entries()) {
            expect(names[each] === 0).toBe(rows.size === 0);
            const held = Array.from({ length: ROWS }, (_, i) => i).filter((i) => sets.has(names[each]!, i));
            expect(held).toEqual([...rows].sort((a, b) => a - b));
          }
        }
      }),
      { seed: 5, numRuns: 100 },
    );
  });
});
