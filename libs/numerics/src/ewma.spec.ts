import { describe, expect, it } from '@jest/globals';
import { Ewma } from './ewma.ts';

describe('Ewma', () => {
  it('is the first sample after one sample, and forgets by half-lives', () => {
    const mean = new Ewma(10);
    expect(mean.value).toBeNaN();
    mean.observe(8);
    expect(mean.value).toBe(8);
    for (let i = 0; i < 10; i++) mean.observe(0);
    // 8 * 2^-1 over the sum of eleven weights 2^(-k/10)
    let weights = 0;
    for (let k = 0; k <= 10; k++) weights += 2 ** (-k / 10);
    expect(mean.value).toBeCloseTo(4 / weights, 12);
  });

  it('starts from its prior, leaves out what is not finite and can be stored', () => {
    const mean = new Ewma(100, 256, 1);
    mean.observe(NaN);
    mean.observe(Infinity);
    expect(mean.value).toBe(256);
    mean.observe(0);
    expect(mean.value).toBeGreaterThan(100);
    expect(mean.value).toBeLessThan(156);
    const again = new Ewma(100);
    again.restore(mean.toState());
    expect(again.value).toBe(mean.value);
  });
});
