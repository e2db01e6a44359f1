import { describe, expect, it } from '@jest/globals';
import { bandPath, linePath } from './line-path.ts';
import type { Position } from './line-path.ts';

describe('linePath', () => {
  it('joins points, breaks at gaps, and is empty without points', () => {
    expect(linePath([[0, 0], [1, 2.04], null, [3, 3], [4, 5]])).toBe('M0 0L1 2M3 3L4 5');
    expect(linePath([])).toBe('');
    expect(linePath([null])).toBe('');
  });

  it('leaves out what lies between the ends of a level stretch', () => {
    const level = Array.from({ length: 9 }, (_, x): Position => [x, 7]);
    expect(linePath([[-1, 0], ...level, [9, 0]])).toBe('M-1 0L0 7L8 7L9 0');
  });
});

describe('bandPath', () => {
  it('goes along the upper line and back along the lower one', () => {
    expect(
      bandPath(
        [
          [0, 10],
          [5, 11],
        ],
        [
          [0, 1],
          [5, 2],
        ],
      ),
    ).toBe('M0 1L5 2L5 11L0 10Z');
  });

  it('has a piece for every stretch with both lines, and none for a single point', () => {
    const line = (y: number, gaps: number[]): Position[] =>
      Array.from({ length: 6 }, (_, x) => (gaps.includes(x) ? null : [x, y + x]));
    expect(bandPath(line(9, [2]), line(0, [2])).match(/Z/g)).toHaveLength(2);
    expect(bandPath(line(9, [1, 3, 5]), line(0, []))).toBe('');
    expect(bandPath([], [])).toBe('');
  });
});
