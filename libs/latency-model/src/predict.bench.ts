/**
 * Time to predict TTFT and TPOT of one request on 4, 100 and 1,000 workers, and to learn from one outcome.
 *
 *   node --conditions=@sluice/source libs/latency-model/src/predict.bench.ts [--smoke]
 *
 * Prints one JSON object: the median over rounds, in microseconds per request or outcome.
 */
import type { Candidates } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createLearner, DEFAULT_ENGINE_SHAPE, predictCandidates, PRIORS } from './index.ts';
import { syntheticOutcome } from './testing/synthetic-engine.ts';

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

const rng = seededRng(1);
const column = (size: number, value: () => number): Float64Array => Float64Array.from({ length: size }, value);

function candidates(size: number): Candidates {
  const zeros = (): Float64Array => new Float64Array(size);
  const decodes = column(size, () => Math.floor(rng() * 40));
  return {
    size,
    ids: [],
    up: new Uint8Array(size).fill(1),
    waitingRequests: zeros(),
    runningRequests: zeros(),
    kvUsage: zeros(),
    kvCapacityTokens: zeros(),
    signalAgeMs: zeros(),
    inflightRequests: decodes.map((count) => count + 2),
    queuedPrefillTokens: column(size, () => (rng() < 0.5 ? 0 : Math.floor(rng() * 20_000))),
    decodesRunning: decodes,
    decodeContextTokens: decodes.map((count) => count * 2000),
    heldKvTokens: zeros(),
    heldKvTokensAtScrape: zeros(),
    expectedGrowthTokens: zeros(),
    siblingRequests: zeros(),
    siblingQueuedPrefillTokens: zeros(),
    prefilledTokens: zeros(),
    step: Array.from({ length: size }, () => ({ ...PRIORS['qwen3-32b-tp2-h100'] })),
    cachedTokens: column(size, () => Math.floor(rng() * 3000)),
    activePromptTokens: zeros(),
    predictedTtftMs: zeros(),
    predictedTpotMs: zeros(),
  };
}

const claims: { id: string; value: number; unit: string }[] = [];
const query = { promptTokens: 4000, expectedOutputTokens: 200, sessionHash: null };
for (const workers of [4, 100, 1000]) {
  const fleet = candidates(workers);
  const micros = measure(() => predictCandidates(fleet, query, DEFAULT_ENGINE_SHAPE));
  claims.push({ id: `predict-${workers}`, value: Number(micros.toFixed(3)), unit: 'us' });
}

const learner = createLearner({ prior: PRIORS.default });
const engine = { step: PRIORS['qwen3-32b-tp2-h100'], engine: DEFAULT_ENGINE_SHAPE, noise: 0.1, rng };
const outcomes = Array.from({ length: 1000 }, () => syntheticOutcome(engine));
let next = 0;
const micros = measure(() => void learner.observe(outcomes[next++ % outcomes.length]!));
claims.push({ id: 'learn-outcome', value: Number(micros.toFixed(3)), unit: 'us' });
console.log(JSON.stringify({ suite: 'latency-model', node: process.version, claims }, null, 2));
