import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ConnectionLine } from './connection-line.ts';

describe('ConnectionLine', () => {
  it('starts first come first served, never more than there are connections, and nobody who quit', () => {
    const step = fc.constantFrom('enter', 'enter', 'enter-short', 'quit', 'leave' as const);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (connections, steps) => {
        const line = new ConnectionLine(connections);
        const started: number[] = [];
        const requests: { start(): void; readonly id: number }[] = [];
        let running = 0;
        // The naive line: an array.
        let waiting: number[] = [];
        const expected: number[] = [];
        const short = new Set<number>();
        let free = connections;
        const settle = (): void => {
          while (free > 0 && waiting.length > 0) {
            const id = waiting.shift()!;
            expected.push(id);
            if (!short.has(id)) free--;
          }
        };
        for (const what of steps) {
          if (what === 'enter' || what === 'enter-short') {
            const id = requests.length;
            if (what === 'enter-short') short.add(id);
            const start = (): void => {
              started.push(id);
              if (short.has(id)) line.leave();
              else expect(++running).toBeLessThanOrEqual(connections);
            };
            requests.push({ id, start });
            waiting.push(id);
            line.enter(requests[id]!);
          } else if (what === 'quit' && waiting.length > 0) {
            const id = waiting[waiting.length >> 1]!;
            waiting = waiting.filter((one) => one !== id);
            line.quit(requests[id]!);
          } else if (what === 'leave' && running > 0) {
            running--;
            free++;
            line.leave();
          }
          settle();
          expect(started).toEqual(expected);
          expect(line.length).toBe(waiting.length);
        }
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  it('lets ten thousand that are over at once go one after the other', () => {
    const line = new ConnectionLine(1);
    let started = 0;
    line.enter({ start: () => undefined });
    for (let i = 0; i < 10_000; i++) {
      line.enter({
        start: () => {
          started++;
          line.leave();
        },
      });
    }
    line.leave();
    expect([started, line.length]).toEqual([10_000, 0]);
  });
});
