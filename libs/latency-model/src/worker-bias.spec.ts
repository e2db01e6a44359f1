import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import { WorkerBias } from './worker-bias.ts';

/** Observes `count` times, workers in turn, each `slow[worker]` times slower than the variant, with 20 % noise. */
function observeInTurn(bias: WorkerBias, slow: Readonly<Record<string, number>>, count: number): void {
  const rng = seededRng(5);
  const workers = Object.keys(slow);
  for (let i = 0; i < count; i++) {
    const worker = workers[i % workers.length]!;
    bias.observe(worker, Math.log(slow[worker]!) + 0.2 * (rng() - 0.5));
  }
}

describe('WorkerBias', () => {
  it('finds the slow one among equals', () => {
    const bias = new WorkerBias();
    observeInTurn(bias, { a: 1, b: 1, c: 1.8, d: 1 }, 1200);
    expect(bias.factor('c') / bias.factor('a')).toBeGreaterThan(1.6);
    expect(bias.factor('c') / bias.factor('a')).toBeLessThan(2);
    expect(bias.factor('never seen')).toBe(1);
  });

  it('keeps its belief in a large pool, where each worker is heard of rarely', () => {
    const bias = new WorkerBias();
    const slow = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`w${i}`, i === 7 ? 1.8 : 1]));
    observeInTurn(bias, slow, 20_000);
    expect(bias.factor('w7') / bias.factor('w8')).toBeGreaterThan(1.6);
  });

  it('takes for equal what differs by no more than its noise', () => {
    const bias = new WorkerBias();
    const rng = seededRng(8);
    let furthest = 1;
    for (let i = 0; i < 4000; i++) {
      // Requests vary by a factor of 4 either way, and neighbours are disturbed alike.
      const disturbance = Math.log(4) * Math.sin(i / 7) * rng();
      bias.observe(i % 3 === 0 ? 'a' : 'b', disturbance + 0.3 * (rng() - 0.5));
      if (i > 40)
        furthest = Math.max(furthest, bias.factor('a') / bias.factor('b'), bias.factor('b') / bias.factor('a'));
    }
    expect(furthest).toBeLessThan(1.1);
  });

  it('forgets a worker that gets no requests because it was believed slow', () => {
    const bias = new WorkerBias();
    observeInTurn(bias, { a: 1, b: 1 }, 200);
    for (let i = 0; i < 150; i++) bias.observe('b', Math.log(6)); // a busy neighbour for a while
    expect(bias.factor('b')).toBeGreaterThan(1.5);
    observeInTurn(bias, { a: 1 }, 300);
    expect(bias.factor('b') / bias.factor('a')).toBeLessThan(1.1);
    expect(bias.factor('a')).toBeGreaterThan(0.9);
  });

  it('does not drift when one worker gets everything and the variant follows it', () => {
    const bias = new WorkerBias();
    for (let i = 0; i < 60; i++) bias.observe('b', Math.log(4));
    // The estimator learns measured / factor: what it believes of the variant follows the bias of the one that is seen.
    let variant = 1;
    for (let i = 0; i < 2000; i++) {
      bias.observe('a', Math.log(1 / variant));
      variant += 0.02 * (1 / bias.factor('a') - variant);
    }
    expect(variant * bias.factor('a')).toBeCloseTo(1, 1);
    expect(bias.factor('a')).toBeGreaterThan(0.9);
    expect(bias.factor('a')).toBeLessThan(1.1);
  });

  it('is bounded, survives a restart, and is stable under what cannot be', () => {
    const bias = new WorkerBias();
    for (let i = 0; i < 500; i++) {
      bias.observe('a', -50);
      bias.observe('b', 50);
    }
    expect(bias.factor('a')).toBeGreaterThanOrEqual(1 / 3.01);
    expect(bias.factor('b')).toBeLessThanOrEqual(3.01);
    const restored = new WorkerBias();
    restored.restore(bias.toState());
    expect(restored.factor('b')).toBeCloseTo(bias.factor('b'), 12);
  });
});
