import { describe, expect, it } from '@jest/globals';
import { countUp } from './count-up.ts';

describe('countUp', () => {
  it('counts the rows in use that are up, whatever is behind them', () => {
    expect(countUp({ up: Uint8Array.of(1, 0, 1, 1, 1), size: 4 })).toBe(3);
    expect(countUp({ up: Uint8Array.of(1), size: 0 })).toBe(0);
  });
});
