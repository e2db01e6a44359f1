import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KeyCounts } from './key-counts.ts';

describe('KeyCounts', () => {
  it('counts like a map, through growth, collisions and removals', () => {
    // few low words, all of them colliding in small tables, so that runs of slots form and close
    const key = fc.record({ hi: fc.integer({ min: 0, max: 20 }), lo: fc.constantFrom(0, 1, 2, 63, 64, 128, -1) });
    const step = fc.record({ key, add: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
        const counts = new KeyCounts();
        const model = new Map<string, number>();
        for (const {
          key: { hi, lo },
          add,
        } of steps) {
          const name = `${hi}/${lo}`;
          const count = model.get(name) ?? 0;
          if (add) counts.add(hi, lo);
          else expect(counts.remove(hi, lo)).toBe(count > 0);
          model.set(name, Math.max(0, count + (add ? 1 : -1)));
          expect(counts.has(hi, lo)).toBe(model.get(name)! > 0);
          expect(counts.size).toBe([...model.values()].filter((each) => each > 0).length);
        }
        counts.clear();
        for (const {
          key: { hi, lo },
        } of steps)
          expect(counts.remove(hi, lo)).toBe(false);
      }),
      { seed: 11, numRuns: 60 },
    );
  });
});
