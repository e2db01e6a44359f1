import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import { createPolicy } from './create-policy.ts';
import { createDecisionTerms } from './decision-terms.ts';
import { createLedger } from './ledger.ts';
import { POLICY_IDS } from './policy-id.ts';
import type { PolicyId } from './policy-id.ts';
import type { Policy } from './policy.ts';
import { ShadowPolicies } from './shadow.ts';
import { pool, predictAll, QUERY } from './testing/pool.ts';

function policyOf(id: PolicyId): Policy {
  const made = createPolicy(id);
  if (made.kind !== 'policy') throw new Error(made.message);
  return made.policy;
}

/** Plays requests over a pool that fills up; `at` sees the columns of every decision. */
function play(requests: number, at: (table: ReturnType<typeof pool>, chosen: number, request: number) => void) {
  const table = pool(7);
  const ledger = createLedger(table);
  const world = seededRng(3);
  const rng = seededRng(1);
  const policy = policyOf('expected-latency');
  const terms = createDecisionTerms();
  const chosen: number[] = [];
  for (let request = 0; request < requests; request++) {
    predictAll(table, QUERY, () => Math.floor(world() * 3900));
    table.setUp(request % 7, world() < 0.7);
    const choice = policy.choose(table.columns, QUERY, rng, terms);
    if (choice.kind !== 'picked') continue;
    at(table, choice.row, request);
    chosen.push(choice.row);
    const uncachedTokens = QUERY.promptTokens - table.columns.cachedTokens[choice.row]!;
    const booking = ledger.book(choice.row, { ...QUERY, uncachedTokens });
    if (world() < 0.6) booking.release();
    else booking.firstToken();
  }
  return chosen;
}

describe('ShadowPolicies', () => {
  it('change no decision, no column and no random number of the policy that decides', () => {
    const alone = play(300, () => undefined);
    const shadows = new ShadowPolicies(
      POLICY_IDS.map(policyOf),
      POLICY_IDS.map((_, i) => seededRng(i)),
    );
    const watched = play(300, ({ columns }, chosen) => {
      const before = structuredClone(columns);
      shadows.consider(columns, QUERY, chosen);
      expect(structuredClone(columns)).toEqual(before);
    });
    expect(alone.length).toBeGreaterThan(250);
    expect(watched).toEqual(alone);
  });

  it('choose what the policies choose alone, each with its own state and stream, and compare predictions', () => {
    const rngs = () => POLICY_IDS.map((_, i) => seededRng(100 + i));
    const shadows = new ShadowPolicies(POLICY_IDS.map(policyOf), rngs());
    const reference = { policies: POLICY_IDS.map(policyOf), rngs: rngs(), terms: createDecisionTerms() };
    const sums = POLICY_IDS.map(() => ({ agreed: 0, ttft: 0, e2e: 0 }));
    let decisions = 0;
    play(300, ({ columns }, chosen) => {
      decisions++;
      const choices = shadows.consider(columns, QUERY, chosen);
      const e2e = (row: number) => columns.predictedTtftMs[row]! + 200 * columns.predictedTpotMs[row]!;
      reference.policies.forEach((policy, i) => {
        const alone = policy.choose(columns, QUERY, reference.rngs[i]!, reference.terms);
        const row = alone.kind === 'picked' ? alone.row : -1;
        const ttftRegretMs = columns.predictedTtftMs[row]! - columns.predictedTtftMs[chosen]!;
        expect(choices[i]).toMatchObject({ policy: policy.id, row, agrees: row === chosen, ttftRegretMs });
        expect(choices[i]!.ttftMs).toBe(columns.predictedTtftMs[row]!);
        expect(choices[i]!.e2eRegretMs).toBeCloseTo(e2e(row) - e2e(chosen), 8);
        sums[i]!.agreed += row === chosen ? 1 : 0;
        sums[i]!.ttft += ttftRegretMs;
        sums[i]!.e2e += e2e(row) - e2e(chosen);
      });
    });
    shadows.tallies().forEach((tally, i) => {
      const { agreed, ttft, e2e } = sums[i]!;
      expect(tally).toMatchObject({ policy: POLICY_IDS[i], decisions, agreed, compared: decisions });
      expect(tally.meanTtftRegretMs).toBeCloseTo(ttft / decisions, 8);
      expect(tally.meanE2eRegretMs).toBeCloseTo(e2e / decisions, 8);
    });
    expect(sums.some(({ agreed }) => agreed < decisions)).toBe(true);
  });

  it('count what has no prediction without comparing it', () => {
    const table = pool(2);
    predictAll(table, QUERY, () => 0);
    table.columns.predictedTtftMs[1] = NaN;
    const shadows = new ShadowPolicies([policyOf('round-robin')], [seededRng(1)]);
    expect(shadows.tallies()[0]!.meanTtftRegretMs).toBeNaN();
    shadows.consider(table.columns, QUERY, 0);
    expect(shadows.consider(table.columns, QUERY, 0)[0]).toMatchObject({ row: 1, agrees: false, ttftRegretMs: NaN });
    expect(shadows.tallies()[0]).toMatchObject({ decisions: 2, agreed: 1, compared: 1, meanTtftRegretMs: 0 });
  });

  it('that find no worker differ', () => {
    const table = pool(1);
    predictAll(table, QUERY, () => 0);
    table.setUp(0, false);
    const shadows = new ShadowPolicies([policyOf('least-request')], [seededRng(1)]);
    expect(shadows.consider(table.columns, QUERY, 0)[0]).toMatchObject({ row: -1, agrees: false, ttftMs: NaN });
  });
});
