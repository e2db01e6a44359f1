import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import { createPolicy } from './create-policy.ts';
import { createDecisionTerms } from './decision-terms.ts';
import { tieBand } from './tie-band.ts';
import { pool, predictAll, QUERY } from './testing/pool.ts';

describe('tieBand', () => {
  it('is where expected-latency draws among workers, neither more nor less', () => {
    const made = createPolicy('expected-latency');
    if (made.kind !== 'policy') throw new Error(made.message);
    const table = pool(40);
    const out = createDecisionTerms();
    const rng = seededRng(5);
    for (const base of [5, 500]) {
      predictAll(table, QUERY, () => 0);
      for (let row = 0; row < 40; row++) table.columns.predictedTtftMs[row] = base * (1 + row / 400);
      const picked = new Set<number>();
      for (let i = 0; i < 3000; i++) {
        const choice = made.policy.choose(table.columns, QUERY, rng, out);
        if (choice.kind === 'picked') picked.add(choice.row);
      }
      const costs = out.cost.subarray(0, 40);
      const band = tieBand('ms', Math.min(...costs));
      const tied = [...costs.keys()].filter((row) => costs[row]! <= band);
      expect(tied.length).toBeGreaterThan(1);
      expect([...picked].sort((a, b) => a - b)).toEqual(tied);
    }
  });

  it('is the least cost itself where costs are exact', () => {
    for (const unit of ['score', 'tokens', 'blocks', 'requests'] as const) expect(tieBand(unit, -7)).toBe(-7);
  });
});
