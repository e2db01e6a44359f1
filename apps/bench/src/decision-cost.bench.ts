/**
 * What a whole decision costs, by the same calls as the router makes for a request: match the prompt, predict, pick, book;
 * beside it what entering the prompt in the index costs, which follows. Prompts of 450 blocks, of which the workers hold different lengths; four requests in flight
 * on each. A decision's time is the least of several equal runs: what other processes took from one of them is not in it,
 * what it costs whenever it is made (its garbage collection as a rule) is.
 *
 *   node --conditions=@sluice/source apps/bench/src/decision-cost.bench.ts [--smoke]
 *
 * Prints one JSON object.
 */
import { DEFAULT_ENGINE_SHAPE, predictCandidates } from '@sluice/latency-model';
import { rootKey, spanKey, STEP_PROFILES, workerId } from '@sluice/model';
import type { RouteQuery } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createMatches, createPrefixIndex } from '@sluice/prefix-index';
import type { PrefixIndex, SpeculationId } from '@sluice/prefix-index';
import { createDecisionTerms, createFleetTable, createLedger, createPolicy } from '@sluice/routing';
import type { Booking, FleetTable } from '@sluice/routing';
import type { Claim } from './part.ts';

const BLOCKS = 450;
const BLOCK_TOKENS = 16;
const BYTES_PER_TOKEN = 4;
const BLOCK_BYTES = BLOCK_TOKENS * BYTES_PER_TOKEN;
const GROUPS = 64;
/** Blocks at the end of every prompt that nobody has seen. */
const NEW_BLOCKS = 50;
const IN_FLIGHT = 4;
const EXPIRY_MS = 600_000;
const SIZES = [
  { workers: 100, p50Us: 100, p99Us: 300 },
  { workers: 1000, p50Us: 1000, p99Us: null },
] as const;

const smoke = process.argv.includes('--smoke');
const DECISIONS = smoke ? 200 : 4000;
const WARM_UP = smoke ? 50 : 2000;
const ROUNDS = smoke ? 1 : 3;
const root = new Uint32Array(2);
rootKey({ pool: 'pool', lora: null, salt: null }, root);
const [rootHi, rootLo] = [root[0]!, root[1]!];

/** Enters the first `blocks` blocks of `text` as what the worker in `row` holds. */
function hold(index: PrefixIndex, row: number, text: Uint8Array, blocks: number): void {
  const key = Uint32Array.of(rootHi, rootLo);
  for (let block = 0; block < blocks; block++) {
    const [parentHi, parentLo] = [key[0]!, key[1]!];
    spanKey(parentHi, parentLo, text, block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES, key);
    index.store(row, 0, key[0]!, key[1]!, parentHi, parentLo, BLOCK_BYTES, BLOCK_TOKENS);
  }
}

function fleetOf(workers: number): FleetTable {
  const table = createFleetTable(workers);
  for (let i = 0; i < workers; i++) {
    const row = table.addWorker(workerId(`w${i}`), STEP_PROFILES['qwen3-32b-tp2-h100']);
    table.setUp(row, true);
    table.recordScrape(row, { waitingRequests: 1, runningRequests: 3, kvUsage: 0.4, kvCapacityTokens: 307_328 }, 0);
  }
  return table;
}

/** Microseconds of each decision: of its parts, and in all. */
interface Times {
  readonly match: Float64Array;
  readonly predictAndPick: Float64Array;
  readonly decision: Float64Array;
  readonly enter: Float64Array;
}
const PARTS = ['match', 'predictAndPick', 'decision', 'enter'] as const satisfies readonly (keyof Times)[];

/** One run; equal runs make equal decisions. */
function timesOf(workers: number): Times {
  const rng = seededRng(workers);
  const table = fleetOf(workers);
  const { columns } = table;
  const ledger = createLedger(table);
  const index = createPrefixIndex();
  const matches = createMatches(workers);
  const texts = Array.from({ length: GROUPS }, () =>
    Uint8Array.from({ length: BLOCKS * BLOCK_BYTES }, () => Math.floor(rng() * 256)),
  );
  for (let row = 0; row < workers; row++) {
    index.addWorker(columns.ids[row]!);
    // every worker has some of the groups, cut anywhere
    for (let i = 0; i < 8; i++) {
      hold(index, row, texts[Math.floor(rng() * GROUPS)]!, Math.floor(rng() * (BLOCKS - NEW_BLOCKS)));
    }
  }
  const made = createPolicy('expected-latency');
  if (made.kind !== 'policy') throw new Error(made.message);
  const { policy } = made;
  const terms = createDecisionTerms(workers);
  const promptTokens = BLOCKS * BLOCK_TOKENS;
  const query: RouteQuery = { promptTokens, expectedOutputTokens: 200, sessionHash: null };
  const inFlight: { readonly booking: Booking; readonly speculation: SpeculationId }[] = [];
  const column = (): Float64Array => new Float64Array(DECISIONS);
  const times: Times = { match: column(), predictAndPick: column(), decision: column(), enter: column() };
  for (let decision = -WARM_UP; decision < DECISIONS; decision++) {
    const nowMs = decision + WARM_UP;
    const prompt = texts[Math.floor(rng() * GROUPS)]!.slice();
    for (let at = (BLOCKS - NEW_BLOCKS) * BLOCK_BYTES; at < prompt.length; at++) prompt[at] = Math.floor(rng() * 256);
    const startMs = performance.now();
    table.ageSignals(nowMs);
    index.match(rootHi, rootLo, prompt, BYTES_PER_TOKEN, nowMs, matches);
    for (let row = 0; row < workers; row++) {
      columns.cachedTokens[row] = Math.min(matches.cachedTokens[row]!, promptTokens - 1);
    }
    const matchedMs = performance.now();
    predictCandidates(columns, query, DEFAULT_ENGINE_SHAPE);
    const choice = policy.choose(columns, query, rng, terms);
    if (choice.kind !== 'picked') throw new Error(choice.reason);
    const pickedMs = performance.now();
    const uncachedTokens = promptTokens - columns.cachedTokens[choice.row]!;
    const booking = ledger.book(choice.row, { promptTokens, uncachedTokens, expectedOutputTokens: 200 });
    const bookedMs = performance.now();
    const speculation = index.speculate(choice.row, rootHi, rootLo, prompt, nowMs, nowMs + EXPIRY_MS);
    const enteredMs = performance.now();
    if (decision >= 0) {
      times.match[decision] = 1000 * (matchedMs - startMs);
      times.predictAndPick[decision] = 1000 * (pickedMs - matchedMs);
      times.decision[decision] = 1000 * (bookedMs - startMs);
      times.enter[decision] = 1000 * (enteredMs - bookedMs);
    }
    booking.firstToken(nowMs);
    inFlight.push({ booking, speculation });
    if (inFlight.length <= IN_FLIGHT * workers) continue;
    const oldest = inFlight.shift()!;
    oldest.booking.release(nowMs);
    index.forget(oldest.speculation);
  }
  return times;
}

/** The least of all rounds, in ascending order. */
function measure(workers: number): Times {
  const least = timesOf(workers);
  for (let round = 1; round < ROUNDS; round++) {
    const times = timesOf(workers);
    for (const part of PARTS) {
      for (let i = 0; i < DECISIONS; i++) least[part][i] = Math.min(least[part][i]!, times[part][i]!);
    }
  }
  for (const part of PARTS) least[part].sort();
  return least;
}

const rank = (sorted: Float64Array, share: number): number =>
  Number(sorted[Math.ceil(share * sorted.length) - 1]!.toPrecision(3));

const claims: Claim[] = [];
const parts: Record<string, { readonly p50Us: number; readonly p99Us: number }> = {};
for (const { workers, p50Us, p99Us } of SIZES) {
  const times = measure(workers);
  for (const part of PARTS) {
    parts[`${part}-${workers}`] = { p50Us: rank(times[part], 0.5), p99Us: rank(times[part], 0.99) };
  }
  for (const [name, share, bar] of [
    ['p50', 0.5, p50Us],
    ['p99', 0.99, p99Us],
  ] as const) {
    const value = rank(times.decision, share);
    const unit = `us of one core, ${workers} workers, ${BLOCKS} blocks`;
    const judged = bar === null ? {} : { bar: `<= ${bar}`, met: value <= bar };
    claims.push({ id: `decision-${name}-${workers}`, value, unit, ...judged });
  }
}
// a short run measures nothing that a claim could be made of
console.log(JSON.stringify({ suite: 'routing', claims: smoke ? [] : claims, data: parts }, null, 2));
