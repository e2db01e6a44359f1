/**
 * Time of one decision given its predictions: `choose` of every policy, and the booking that follows, over 4, 100 and
 * 1,000 workers that are loaded differently; and of two shadow policies beside it. Filling the predictions is measured by `libs/latency-model/src/predict.bench.ts`;
 * a decision of the router is the sum of both and the prefix match.
 *
 *   node --conditions=@sluice/source libs/routing/src/routing.bench.ts [--smoke]
 *
 * Prints one JSON object: the median over rounds, in microseconds per decision.
 */
import { seededRng } from '@sluice/numerics';
import { createPolicy } from './create-policy.ts';
import { createDecisionTerms } from './decision-terms.ts';
import { createLedger } from './ledger.ts';
import { POLICY_IDS } from './policy-id.ts';
import { ShadowPolicies } from './shadow.ts';
import { pool, predictAll, QUERY } from './testing/pool.ts';

/** Asked beside a decision that is sampled. */
const SHADOWS = ['weighted-3-2-2', 'least-request'];

const smoke = process.argv.includes('--smoke');
const ROUNDS = smoke ? 5 : 21;
const ROUND_MS = smoke ? 10 : 50;

/** Microseconds per call: median of rounds, each long enough for the clock. */
function measure(call: () => void): number {
  const rounds: number[] = [];
  for (let round = -2; round < ROUNDS; round++) {
    const start = performance.now();
    let calls = 0;
    let elapsed = 0;
    while ((elapsed = performance.now() - start) < ROUND_MS) {
      for (let i = 0; i < 16; i++) call();
      calls += 16;
    }
    if (round >= 0) rounds.push((elapsed * 1000) / calls); // the first two warm up
  }
  return rounds.sort((a, b) => a - b)[rounds.length >> 1]!;
}

const claims: { id: string; value: number; unit: string }[] = [];
for (const workers of [4, 100, 1000]) {
  const table = pool(workers);
  const ledger = createLedger(table);
  const rng = seededRng(1);
  for (let i = 0; i < workers * 4; i++) {
    const promptTokens = 500 + Math.floor(rng() * 4000);
    const request = { promptTokens, uncachedTokens: Math.floor(promptTokens * rng()), expectedOutputTokens: 200 };
    const booking = ledger.book(i % workers, request);
    if (i >= workers) booking.tokens(Math.floor(rng() * 200));
  }
  predictAll(table, QUERY, () => Math.floor(rng() * 3000));
  const out = createDecisionTerms(workers);
  for (const id of POLICY_IDS) {
    const made = createPolicy(id);
    if (made.kind !== 'policy') throw new Error(made.message);
    const { policy } = made;
    const micros = measure(() => {
      const choice = policy.choose(table.columns, QUERY, rng, out);
      if (choice.kind !== 'picked') throw new Error(choice.reason);
      ledger.book(choice.row, { promptTokens: 4000, uncachedTokens: 1000, expectedOutputTokens: 200 }).release();
    });
    claims.push({ id: `choose-${id}-${workers}`, value: Number(micros.toFixed(3)), unit: 'us' });
  }
  const shadowed = SHADOWS.map((id) => createPolicy(id)).flatMap((made) =>
    made.kind === 'policy' ? [made.policy] : [],
  );
  const shadows = new ShadowPolicies(shadowed, [seededRng(2), seededRng(3)]);
  const micros = measure(() => void shadows.consider(table.columns, QUERY, 0));
  claims.push({ id: `shadows-${SHADOWS.join('+')}-${workers}`, value: Number(micros.toFixed(3)), unit: 'us' });
}
console.log(JSON.stringify({ suite: 'routing', node: process.version, claims }, null, 2));
