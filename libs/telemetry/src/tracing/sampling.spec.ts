import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isSampled, samplingOf } from './sampling.ts';

const traceIds = fc.bigInt(1n, (1n << 128n) - 1n).map((id) => id.toString(16).padStart(32, '0'));
/** The specification's own words, in whole numbers: the last 56 bits are at least the rejected part of their range. */
const isTaken = (traceId: string, share: number): boolean =>
  BigInt(`0x${traceId.slice(18)}`) >= BigInt(Math.round((1 - share) * 2 ** 56));

describe('sampling', () => {
  it('reduces every sampler to whether clients decide, and a share', () => {
    const of = (sampler: Parameters<typeof samplingOf>[0]) => samplingOf(sampler, 0.25, null);
    expect(of(null)).toEqual({ isOn: false, followsParent: true, share: 0 });
    expect(of('always_on')).toEqual({ isOn: true, followsParent: false, share: 1 });
    expect(of('traceidratio')).toEqual({ isOn: true, followsParent: false, share: 0.25 });
    expect(of('parentbased_traceidratio')).toEqual({ isOn: true, followsParent: true, share: 0.25 });
    expect(of('parentbased_always_off')).toEqual({ isOn: true, followsParent: true, share: 0 });
    expect(samplingOf('always_on', 1, 0.5)).toEqual({ isOn: true, followsParent: false, share: 0.5 });
    expect(samplingOf(null, 1, 0.5)).toEqual({ isOn: true, followsParent: true, share: 0.5 });
    expect(samplingOf('always_on', 1, 'off').isOn).toBe(false);
  });

  it("takes what OpenTelemetry's rule takes, and what a smaller share takes", () => {
    const shares = fc.integer({ min: 0, max: 1 << 16 }).map((n) => n / (1 << 16));
    fc.assert(
      fc.property(traceIds, shares, shares, (traceId, a, b) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)];
        const taken = (share: number) => isSampled(samplingOf('traceidratio', share, null), traceId, null);
        expect(taken(less)).toBe(isTaken(traceId, less));
        if (taken(less)) expect(taken(more)).toBe(true);
      }),
    );
  });

  it("asks the client's decision first where it counts", () => {
    const id = 'f'.repeat(32);
    for (const parent of [true, false]) {
      expect(isSampled(samplingOf('parentbased_traceidratio', 0, null), id, parent)).toBe(parent);
      expect(isSampled(samplingOf('always_on', 1, null), id, parent)).toBe(true);
    }
  });
});
