import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ActiveBlocks } from './active-blocks.ts';

/** Keys of a text in blocks of one letter, all of them in colliding slots. */
function chain(text: string, names: Map<string, number>): Int32Array {
  const keys = new Int32Array(2 * text.length);
  for (let block = 0; block < text.length; block++) {
    const prefix = text.slice(0, block + 1);
    if (!names.has(prefix)) names.set(prefix, names.size + 1);
    keys[2 * block] = 64 * (names.get(prefix)! % 3);
    keys[2 * block + 1] = -names.get(prefix)!;
  }
  return keys;
}

const prefixes = (text: string): string[] => [...text].map((_, i) => text.slice(0, i + 1));

describe('ActiveBlocks', () => {
  it('counts what a set of all prefixes of the live texts counts', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 9 });
    const step = fc.record({ text, ends: fc.boolean(), which: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const blocks = new ActiveBlocks();
        const names = new Map<string, number>();
        const live: string[] = [];
        for (const { text: asked, ends, which } of steps) {
          if (ends && live.length > 0) {
            const [gone] = live.splice(which % live.length, 1);
            blocks.remove(chain(gone!, names), gone!.length);
          } else {
            live.push(asked);
            blocks.add(chain(asked, names), asked.length);
          }
          const expected = new Set([...live, asked].flatMap(prefixes)).size;
          expect(blocks.sizeWith(chain(asked, names), asked.length)).toBe(expected);
        }
      }),
      { seed: 3, numRuns: 100 },
    );
  });
});
