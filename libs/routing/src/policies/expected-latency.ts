import type { Candidates, RouteQuery, Rng, Signal } from '@sluice/model';
import type { DecisionTerms } from '../decision-terms.ts';
import type { Choice, Policy } from '../policy.ts';
import { usedKvTokens } from '../occupancy.ts';
import { createSloTerms, DEFAULT_SPREAD, sloTerms } from '../slo-terms.ts';
import { noWorker, uniform } from './pick.ts';
import { chooseByTokenLoad, uncachedTokens } from './token-load.ts';

/** Prices of what a choice costs others, relative to the request's own milliseconds. See docs/how-a-decision-is-made.md. */
export interface ExpectedLatencyOptions {
  /** Share of the request's own decode time: what its first token is worth against its later ones. */
  readonly ownDecodePrice: number;
  /** g0: times the uncached prefill is charged again as a duplicate of a prefix. */
  readonly duplicatePrice: number;
  /** pm: price of KV memory. */
  readonly memoryPrice: number;
  /** ex: share of the delay that own context adds to the later steps of the decodes running. */
  readonly laterStepsPrice: number;
  /** px: share of the stall of the decodes running during own prefill. */
  readonly stallPrice: number;
  /** Costs within this share of the best are a tie. */
  readonly tieShare: number;
  /** So are costs within this many milliseconds. */
  readonly tieMs: number;
  /** Share of the best one's memory term that is added to the tie: it prices what may come, and is the least sure of all. */
  readonly memoryDoubt: number;
}

/** Best of a search; each lies in a wide basin. */
export const EXPECTED_LATENCY_DEFAULTS: ExpectedLatencyOptions = {
  ownDecodePrice: 0.05,
  duplicatePrice: 2,
  memoryPrice: 1,
  laterStepsPrice: 0.05,
  stallPrice: 0.05,
  tieShare: 0.01,
  tieMs: 1,
  memoryDoubt: 0.6,
};

const TERMS = ['ttft', 'memoryWait', 'ownDecode', 'duplicate', 'memory', 'laterSteps', 'stall', 'slo'] as const;
const TTFT = TERMS.indexOf('ttft');
const MEMORY = TERMS.indexOf('memory');
const NEEDS = [
  'cachedTokens',
  'predictedTtftMs',
  'predictedTpotMs',
  'kvUsage',
  'kvCapacityTokens',
  'signalAgeMs',
  'inflightRequests',
  'queuedPrefillTokens',
  'decodesRunning',
  'heldKvTokens',
  'heldKvTokensAtScrape',
  'expectedGrowthTokens',
  'step',
] as const satisfies readonly Signal[];

/** Forecast occupancy is clipped here, which bounds u / (1 - u) by 32. Clipped at 0.9, nearly full workers look alike, and balanced pools tip over. */
const MOST_OCCUPIED = 0.97;
/** Cost of a worker whose whole KV cache is smaller than the prompt: last, yet finite. */
const NEVER_FITS_MS = 1e9;

/** Of the tokens that come free, at least this share is not taken by those still running. */
const LEAST_NET_SHARE = 0.25;

/** Policies that decide by this cost: with learned output lengths, and with true ones. */
type LatencyPolicyId = 'expected-latency' | 'oracle';

/**
 * Least expected latency in milliseconds: the request's own predicted TTFT, wait for memory and a share of its decode
 * time, plus what its choice costs others. Costs within the model's error are ties; of these the least own TTFT wins, and
 * among equals of that too power of two choices on the ledger. Without a usable
 * prediction for every worker that is up it decides as `token-load`, and `out.basis` says so.
 * `oracle` is this policy where the caller knows the true output length and has readings without age: a simulation.
 */
export function expectedLatency(
  options: Partial<ExpectedLatencyOptions> = {},
  id: LatencyPolicyId = 'expected-latency',
): Policy {
  const prices = { ...EXPECTED_LATENCY_DEFAULTS, ...options };
  return {
    id,
    needs: NEEDS,
    choose(candidates, query, rng, out) {
      const best = writeCosts(candidates, query, id, prices, out);
      if (best === 'no usable prediction') return chooseByTokenLoad(candidates, query, rng, out);
      if (best < 0) return noWorker(candidates);
      out.tieCost = withinError(out.cost[best]!, prices) + prices.memoryDoubt * out.values[MEMORY]![best]!;
      return breakTie(candidates, out, prices, rng);
    },
  };
}

/** The largest of the milliseconds that cannot be told from `leastMs`: the model is not that good. */
const withinError = (leastMs: number, { tieMs, tieShare }: ExpectedLatencyOptions): number =>
  leastMs + Math.max(tieMs, tieShare * leastMs);

const violations = createSloTerms();

/** Fills `out` for every row; returns the cheapest row, or -1 when no worker is up. */
function writeCosts(
  candidates: Candidates,
  query: RouteQuery,
  id: LatencyPolicyId,
  prices: ExpectedLatencyOptions,
  out: DecisionTerms,
): number | 'no usable prediction' {
  const { size, up, predictedTtftMs, predictedTpotMs, decodesRunning, kvCapacityTokens, step } = candidates;
  out.layout(id, 'ms', TERMS, size);
  const { cost } = out;
  const [ttft, memoryWait, ownDecode, duplicate, memory, laterSteps, stall, slo] = out.values as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const { promptTokens, expectedOutputTokens: output } = query;
  const limited = query.ttftSloMs != null || query.tpotSloMs != null || query.deadlineMs != null;
  let best = -1;
  for (let row = 0; row < size; row++) {
    const ttftMs = predictedTtftMs[row]!;
    const tpotMs = predictedTpotMs[row]!;
    const uncached = uncachedTokens(candidates, row, query);
    const { aMsPerToken, kAttMs, kKvMs, kSeqMs } = step[row]!;
    const decodes = decodesRunning[row]!;
    const prefillMs = aMsPerToken * uncached;
    // Attention of a chunked prefill telescopes: uncached queries over the cached part and half of themselves.
    const attentionMs = kAttMs * uncached * (promptTokens - uncached / 2);

    ttft[row] = ttftMs;
    memoryWait[row] = 0;
    memory[row] = 0;
    const capacity = kvCapacityTokens[row]!;
    if (capacity > 0) {
      const used = usedKvTokens(candidates, row);
      memoryWait[row] = memoryWaitMs(candidates, row, query, used, uncached);
      const forecast = (used + candidates.expectedGrowthTokens[row]! / 2) / capacity;
      const occupancy = Math.min(MOST_OCCUPIED, forecast);
      const e2eMs = ttftMs + output * tpotMs;
      memory[row] = ((prices.memoryPrice * (uncached + output / 2)) / capacity) * e2eMs * (occupancy / (1 - occupancy));
    }
    ownDecode[row] = prices.ownDecodePrice * output * tpotMs;
    duplicate[row] = prices.duplicatePrice * prefillMs;
    laterSteps[row] = (prices.laterStepsPrice * decodes * (kKvMs * (promptTokens + output / 2) + kSeqMs) * output) / 2;
    stall[row] = prices.stallPrice * decodes * (prefillMs + attentionMs);
    slo[row] = limited ? sloTerms(query, ttftMs + memoryWait[row]!, tpotMs, DEFAULT_SPREAD, violations).costMs : 0;

    if (up[row] !== 1) {
      cost[row] = Infinity;
      continue;
    }
    const own = ttftMs + memoryWait[row]! + ownDecode[row]! + slo[row]!;
    const total = own + duplicate[row]! + memory[row]! + laterSteps[row]! + stall[row]!;
    // One worker without a prediction cannot be compared with the rest in milliseconds, so none is.
    if (!(total >= 0 && total < Infinity)) return 'no usable prediction';
    cost[row] = total;
    if (best < 0 || total < cost[best]!) best = row;
  }
  return best;
}

/**
 * Wait until the KV cache has room. Holders end spread evenly over twice their mean remaining output `r`, so in each step
 * `n / (2 r)` of the `n` decodes running end and free what they will hold by then, `h / n + r`, while each of the `n` takes
 * one more: `h / (2 r) - n / 2` tokens come free, `h` being what they hold now.
 */
function memoryWaitMs(candidates: Candidates, row: number, query: RouteQuery, used: number, uncached: number): number {
  const capacity = candidates.kvCapacityTokens[row]!;
  if (query.promptTokens > capacity) return NEVER_FITS_MS;
  const missing = used + uncached - capacity;
  if (!(missing > 0)) return 0;
  const requests = Math.max(1, candidates.inflightRequests[row]!);
  // Requests past their expected length still have something to go.
  const remaining = Math.max(1, candidates.expectedGrowthTokens[row]! / requests, query.expectedOutputTokens / 4);
  // What others than this pool's routers hold there is known as used only, and ends no later than what they do.
  const held = candidates.heldKvTokens[row]! > 0 ? candidates.heldKvTokens[row]! : used;
  const freed = held / (2 * remaining);
  const perStep = Math.max(freed * LEAST_NET_SHARE, freed - candidates.decodesRunning[row]! / 2);
  return (missing / perStep) * candidates.predictedTpotMs[row]!;
}

/** Of two rows drawn at random, among those that tie in cost and then in own TTFT, the one with less in flight. */
function breakTie(candidates: Candidates, out: DecisionTerms, prices: ExpectedLatencyOptions, rng: Rng): Choice {
  const { size, inflightRequests, queuedPrefillTokens } = candidates;
  const { cost, tieCost } = out;
  const ttftMs = out.values[TTFT]!;
  let leastTtftMs = Infinity;
  for (let row = 0; row < size; row++) {
    if (cost[row]! <= tieCost) leastTtftMs = Math.min(leastTtftMs, ttftMs[row]!);
  }
  const mostTtftMs = withinError(leastTtftMs, prices);
  let tied = 0;
  for (let row = 0; row < size; row++) if (cost[row]! <= tieCost && ttftMs[row]! <= mostTtftMs) tied++;
  const first = uniform(rng, tied);
  const second = tied === 1 ? first : (first + 1 + uniform(rng, tied - 1)) % tied;
  let a = -1;
  let b = -1;
  for (let row = 0, index = 0; row < size; row++) {
    if (!(cost[row]! <= tieCost && ttftMs[row]! <= mostTtftMs)) continue;
    if (index === first) a = row;
    if (index === second) b = row;
    index++;
  }
  const fewer = inflightRequests[b]! - inflightRequests[a]! || queuedPrefillTokens[b]! - queuedPrefillTokens[a]!;
  return { kind: 'picked', row: fewer < 0 ? b : a };
}
