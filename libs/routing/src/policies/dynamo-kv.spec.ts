import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import { createDecisionTerms } from '../decision-terms.ts';
import type { FleetTable } from '../fleet-table.ts';
import { createLedger } from '../ledger.ts';
import { pool, predictAll, QUERY } from '../testing/pool.ts';
import { dynamoKv } from './dynamo-kv.ts';

/** Row 0: 1,600 queued, another prompt; row 1: the whole prompt cached, and in flight with 3,200 more; row 2: idle. */
function loaded(): FleetTable {
  const table = pool(3);
  const ledger = createLedger(table);
  ledger.book(0, { promptTokens: 1600, uncachedTokens: 1600, expectedOutputTokens: 1 });
  ledger.book(1, { promptTokens: 9000, uncachedTokens: 3199, expectedOutputTokens: 1 }).firstToken();
  predictAll(table, QUERY, (row) => (row === 1 ? 4000 : 0));
  table.columns.activePromptTokens.set([1600 + 4000, 4000 + 3200, 4000]);
  return table;
}

describe('dynamo-kv', () => {
  it('is the weighted prefill blocks plus the active blocks', () => {
    const out = createDecisionTerms();
    const table = loaded();
    expect(dynamoKv().choose(table.columns, QUERY, seededRng(1), out)).toEqual({ kind: 'picked', row: 1 });
    expect([out.unit, ...out.names]).toEqual(['blocks', 'prefillBlocks', 'activeBlocks']);
    expect([...out.cost.slice(0, 3)]).toEqual([5600 / 16 + 5600 / 16, 7200 / 16, 8000 / 16]);
    const loadOnly = dynamoKv({ overlapWeight: 0 });
    expect(loadOnly.choose(table.columns, QUERY, seededRng(1), out)).toEqual({ kind: 'picked', row: 2 });
    dynamoKv({ overlapWeight: 2, blockTokens: 64 }).choose(table.columns, QUERY, seededRng(1), out);
    expect(out.cost[0]).toBe((2 * 5600) / 64 + 5600 / 64);
  });

  it('draws by a softmax over the costs scaled to their range when it has a temperature', () => {
    const table = loaded();
    table.setUp(2, false);
    const policy = dynamoKv({ temperature: 0.5 });
    const rng = seededRng(5);
    const out = createDecisionTerms();
    let cheaper = 0;
    for (let i = 0; i < 10_000; i++) {
      const choice = policy.choose(table.columns, QUERY, rng, out);
      expect([0, 1]).toContain((choice as { row: number }).row);
      if ((choice as { row: number }).row === 1) cheaper++;
    }
    // costs scale to 0 and 1, so the odds are e^(1 / 0.5) to 1
    expect(cheaper / 10_000).toBeCloseTo(1 / (1 + Math.exp(-2)), 2);
  });

  it('draws evenly where all cost the same, and none where none is up', () => {
    const table = pool(2);
    predictAll(table, QUERY, () => 0);
    const policy = dynamoKv({ temperature: 1 });
    const rng = seededRng(2);
    const out = createDecisionTerms();
    const rows = Array.from({ length: 1000 }, () => policy.choose(table.columns, QUERY, rng, out));
    expect(rows.filter((choice) => choice.kind === 'picked' && choice.row === 0).length / 1000).toBeCloseTo(0.5, 1);
    table.setUp(0, false);
    table.setUp(1, false);
    expect(policy.choose(table.columns, QUERY, rng, out).kind).toBe('no-worker');
  });
});
