import { describe, expect, it } from '@jest/globals';
import { hotPrefixWorkload, sharedFirstBlockWorkload } from './adversarial.ts';
import { documentQaWorkload } from './document-qa.ts';

const SCHEDULE = { qps: 20, seed: 2 };

describe('sharedFirstBlockWorkload', () => {
  it('has one block in common and nothing else', () => {
    const requests = sharedFirstBlockWorkload(SCHEDULE);
    expect(requests.every(({ blocks }) => blocks.length === 1 && blocks[0] === 0)).toBe(true);
    expect(requests.every(({ promptTokens, blockTokens }) => promptTokens > blockTokens)).toBe(true);
  });
});

describe('hotPrefixWorkload', () => {
  it('sends a quarter of all requests to one prefix', () => {
    const requests = hotPrefixWorkload(SCHEDULE);
    const hottest = requests.filter(({ session }) => session === 0).length / requests.length;
    expect(hottest).toBeGreaterThan(0.2);
    expect(hottest).toBeLessThan(0.3);
    expect(new Set(requests.map(({ session }) => session)).size).toBeGreaterThan(130);
  });
});

describe('documentQaWorkload', () => {
  it('asks evenly about documents unless told otherwise', () => {
    const share = (exponent: number): number => {
      const requests = documentQaWorkload({ ...SCHEDULE, exponent });
      expect(requests[0]).toMatchObject({ promptTokens: 16_256, outputTokens: 256 });
      expect(requests[0]!.blocks.length * requests[0]!.blockTokens).toBe(16_000);
      return requests.filter(({ session }) => session === 0).length / requests.length;
    };
    expect(share(0)).toBeCloseTo(1 / 250, 2);
    expect(share(1)).toBeGreaterThan(0.1);
  });
});
