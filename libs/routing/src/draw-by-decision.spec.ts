import { describe, expect, it } from '@jest/globals';
import { workerId } from '@sluice/model';
import type { Rng, StepParameters } from '@sluice/model';
import { createDecisionTerms } from './decision-terms.ts';
import { drawByDecision } from './draw-by-decision.ts';
import { createFleetTable } from './fleet-table.ts';
import { leastRequest, random } from './policies/simple.ts';
import type { Policy } from './policy.ts';

const STEP: StepParameters = {
  t0Ms: 1,
  twMs: 5,
  aMsPerToken: 0.02,
  kAttMs: 1e-6,
  kKvMs: 1e-5,
  kSeqMs: 0.005,
  apiBaseMs: 15,
  apiPerTokenMs: 0.01,
};
const query = { promptTokens: 100, expectedOutputTokens: 10, sessionHash: null };
const unused: Rng = () => {
  throw new Error('the caller has no part in it');
};

/** Rows of `decisions` decisions among 8 workers, of which the first `busy[n]` have a request more at decision n. */
function rowsOf(policy: Policy, decisions: number, busy: Readonly<Record<number, number>> = {}): number[] {
  const table = createFleetTable();
  for (let row = 0; row < 8; row++) {
    table.addWorker(workerId(`w${row}`), STEP);
    table.setUp(row, true);
  }
  const { columns } = table;
  const terms = createDecisionTerms();
  return Array.from({ length: decisions }, (_, n) => {
    columns.inflightRequests.fill(0).fill(1, 0, busy[n] ?? 0);
    const choice = policy.choose(columns, query, unused, terms);
    if (choice.kind !== 'picked') throw new Error(choice.reason);
    return choice.row;
  });
}

describe('drawByDecision', () => {
  it('depends on the seed and the number of the decision alone', () => {
    const undisturbed = rowsOf(drawByDecision(leastRequest(), 7), 50);
    const disturbed = rowsOf(drawByDecision(leastRequest(), 7), 50, { 3: 7, 20: 2 });
    expect(disturbed[3]).toBe(7);
    for (const rows of [undisturbed, disturbed]) rows.splice(20, 1);
    for (const rows of [undisturbed, disturbed]) rows.splice(3, 1);
    expect(disturbed).toEqual(undisturbed);
    expect(rowsOf(drawByDecision(leastRequest(), 8), 50)).not.toEqual(undisturbed);
  });

  it('is as even as one stream', () => {
    const counts = new Array<number>(8).fill(0);
    for (const row of rowsOf(drawByDecision(random(), 1), 8000)) counts[row]!++;
    // four standard deviations of a binomial with 8,000 draws of 1/8
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(4 * Math.sqrt(875));
  });

  it('keeps what the policy is', () => {
    const { id, needs } = drawByDecision(leastRequest(), 1);
    expect({ id, needs }).toEqual({ id: 'least-request', needs: leastRequest().needs });
  });
});
