import { describe, expect, it } from '@jest/globals';
import type { TraceSpan } from '@sluice/contracts';
import { SpanRing } from './span-ring.ts';

const span = (traceId: string, startMs: number) => ({ traceId, startMs }) as TraceSpan;
const ringOf = (capacity: number) =>
  new SpanRing<TraceSpan>(
    capacity,
    ({ traceId }) => traceId,
    (each) => each,
  );

describe('SpanRing', () => {
  it('keeps the last ones, oldest first, as a list that is cut at its head would', () => {
    const ring = ringOf(5);
    const all: TraceSpan[] = [];
    for (let i = 0; i < 17; i++) {
      const added = span(i % 3 === 0 ? 'a' : 'b', 100 - i);
      ring.add(added);
      all.push(added);
      expect(ring.all()).toEqual(all.slice(-5));
      const ofA = all.slice(-5).filter(({ traceId }) => traceId === 'a');
      expect(ring.trace('a')).toEqual(ofA.sort((x, y) => x.startMs - y.startMs));
    }
    expect(ring.trace('c')).toEqual([]);
  });
});
