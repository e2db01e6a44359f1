import { describe, expect, it } from '@jest/globals';
import { createPolicy, EXPECTED_LATENCY_DEFAULTS } from '@sluice/routing';
import { PERTURBED, PRICES } from './prices.ts';

describe('perturbed prices', () => {
  it('are every price of the objective, halved and doubled, alone and at once', () => {
    expect(PRICES).toContain('duplicatePrice');
    expect(PERTURBED).toHaveLength(2 * (PRICES.length + 1));
    for (const { price, factor, arm } of PERTURBED) {
      const options = arm.options!.expectedLatency as Record<string, number>;
      expect(Object.keys(options)).toEqual(price === 'all of them' ? PRICES : [price]);
      for (const [name, value] of Object.entries(options)) {
        expect(value).toBe(factor * EXPECTED_LATENCY_DEFAULTS[name as (typeof PRICES)[number]]);
      }
      expect(createPolicy(arm.policy, arm.options).kind).toBe('policy');
    }
  });
});
