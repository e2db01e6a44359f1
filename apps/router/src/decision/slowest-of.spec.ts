import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import { SlowestOf } from './slowest-of.ts';

describe('SlowestOf', () => {
  it('keeps the slowest until they are too old', () => {
    const slowest = new SlowestOf<string>(2, 1000);
    expect(slowest.offer('a', 30, 0)).toBe(true);
    expect(slowest.offer('b', 10, 100)).toBe(true);
    expect(slowest.offer('c', 10, 200)).toBe(false);
    expect(slowest.offer('d', 20, 300)).toBe(true);
    expect(slowest.items).toEqual(['a', 'd']);
    expect(slowest.offer('e', 5, 999)).toBe(false);
    expect(slowest.offer('f', 5, 1000)).toBe(true);
    expect(slowest.items).toEqual(['d', 'f']);
  });

  it('keeps nothing without room', () => {
    const slowest = new SlowestOf<number>(0, 1000);
    expect([slowest.offer(1, 5, 0), slowest.offer(2, 9, 0)]).toEqual([false, false]);
    expect(slowest.items).toEqual([]);
  });

  it('agrees with a plain list of everything that was ever kept', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const rng = seededRng(seed);
      const capacity = 1 + Math.floor(rng() * 6);
      const slowest = new SlowestOf<number>(capacity, 50);
      let plain: { item: number; ms: number; atMs: number }[] = [];
      let atMs = 0;
      for (let item = 0; item < 300; item++) {
        atMs += Math.floor(rng() * 8);
        const ms = Math.floor(rng() * 20);
        const kept = slowest.offer(item, ms, atMs);
        plain = [...plain.filter((each) => each.atMs + 50 > atMs), { item, ms, atMs }];
        plain.sort((a, b) => b.ms - a.ms);
        if (plain.length > capacity) plain.pop();
        expect(kept).toBe(plain.some((each) => each.item === item));
        // Who is too old may still be there until the next offer that is looked at.
        if (kept) expect(slowest.items).toEqual(plain.map((each) => each.item));
      }
    }
  });
});
