import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EventQueue } from './event-queue.ts';

describe('EventQueue', () => {
  it('pops in order of time, equal times in order of pushing, whatever is pushed in between', () => {
    const steps = fc.array(fc.option(fc.integer({ min: 0, max: 5 })), { maxLength: 400 });
    fc.assert(
      fc.property(steps, (delays) => {
        const queue = new EventQueue<number>();
        let waiting: { timeMs: number; order: number }[] = [];
        let nowMs = 0;
        const pop = (): void => {
          const due = [...waiting].sort((a, b) => a.timeMs - b.timeMs || a.order - b.order)[0];
          expect(queue.pop()).toBe(due?.order);
          if (due === undefined) return;
          expect(queue.nowMs).toBe(due.timeMs);
          nowMs = due.timeMs;
          waiting = waiting.filter((event) => event !== due);
        };
        for (const [order, delay] of delays.entries()) {
          if (delay === null) {
            pop();
            continue;
          }
          queue.push(nowMs + delay, order);
          waiting.push({ timeMs: nowMs + delay, order });
          expect(queue.size).toBe(waiting.length);
        }
        while (waiting.length > 0) pop();
        pop();
      }),
      { seed: 7, numRuns: 60 },
    );
  });

  it('refuses the past', () => {
    const queue = new EventQueue<string>();
    queue.push(5, 'a');
    queue.pop();
    expect(() => queue.push(4, 'b')).toThrow('event at 4 ms, when it is 5 ms');
    expect(() => queue.push(NaN, 'c')).toThrow(RangeError);
  });
});
