import type { PolicyId } from '@sluice/routing';
import type { SimulatedRequest, Slo, TwinRecords, TwinResult } from '../api.ts';
import { pooledHits } from './pooled-lru.ts';
import { summarize } from './summary.ts';

/** What became of every request, by its number. A request that never ends well stays infinitely late. */
export class Records {
  /** NaN before it arrived. */
  readonly arrivalMs: Float64Array;
  readonly firstTokenMs: Float64Array;
  readonly endMs: Float64Array;
  readonly cachedTokens: Float64Array;
  /** Engine that it was sent to; -1: none. */
  readonly engine: Int32Array;
  /** 1: flow control turned it away. */
  readonly shed: Uint8Array;

  constructor(requests: number) {
    this.arrivalMs = new Float64Array(requests).fill(NaN);
    this.firstTokenMs = new Float64Array(requests).fill(Infinity);
    this.endMs = new Float64Array(requests).fill(Infinity);
    this.cachedTokens = new Float64Array(requests);
    this.engine = new Int32Array(requests).fill(-1);
    this.shed = new Uint8Array(requests);
  }
}

export interface Run {
  readonly policy: PolicyId;
  readonly seed: number;
  readonly requests: readonly SimulatedRequest[];
  readonly engines: number;
  /** Tokens of all engines' KV caches, and of their smallest block. */
  readonly kvTokens: number;
  readonly blockSize: number;
  readonly warmUpMs: number;
  readonly slo: Slo | null;
  /** Whether requests may be shed. */
  readonly sheds: boolean;
  readonly preemptions: number;
  readonly engineSteps: number;
  readonly virtualMs: number;
}

/** The result of a run; see {@link TwinResult} for what each number means. */
export function resultOf(run: Run, records: Records): TwinResult {
  const { requests, warmUpMs, slo } = run;
  const ttftMs: number[] = [];
  const tpotMs: number[] = [];
  const e2eMs: number[] = [];
  const pooled = pooledHits(requests, run.kvTokens, run.blockSize);
  const sentTokens = new Float64Array(run.engines);
  let failed = 0;
  let shed = 0;
  let good = 0;
  let promptTokens = 0;
  let cachedTokens = 0;
  let pooledTokens = 0;
  let outputTokens = 0;
  let lastEndMs = warmUpMs;
  for (const [index, request] of requests.entries()) {
    const arrivalMs = records.arrivalMs[index]!;
    if (arrivalMs < warmUpMs) continue;
    const ttft = records.firstTokenMs[index]! - arrivalMs;
    const e2e = records.endMs[index]! - arrivalMs;
    const ended = e2e < Infinity;
    // the difference of two infinities is no number
    const tpot = ended ? (e2e - ttft) / (request.outputTokens - 1) : Infinity;
    ttftMs.push(ttft);
    e2eMs.push(e2e);
    if (request.outputTokens > 1) tpotMs.push(tpot);
    const engine = records.engine[index]!;
    if (engine >= 0) sentTokens[engine]! += request.promptTokens;
    if (!ended) {
      failed++;
      shed += records.shed[index]!;
      continue;
    }
    promptTokens += request.promptTokens;
    cachedTokens += records.cachedTokens[index]!;
    pooledTokens += pooled[index]!;
    outputTokens += request.outputTokens;
    lastEndMs = Math.max(lastEndMs, records.endMs[index]!);
    if (slo !== null && ttft <= slo.ttftMs && (request.outputTokens === 1 || tpot <= slo.tpotMs)) good++;
  }
  const measuredS = (lastEndMs - warmUpMs) / 1000;
  const sent = sentTokens.reduce((sum, tokens) => sum + tokens, 0);
  const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);
  return {
    policy: run.policy,
    seed: run.seed,
    requests: ttftMs.length,
    failed,
    ...(run.sheds && { shed }),
    ttftMs: summarize(ttftMs),
    tpotMs: summarize(tpotMs),
    e2eMs: summarize(e2eMs),
    outputTokensPerS: share(outputTokens, measuredS),
    cachedTokenShare: share(cachedTokens, promptTokens),
    capturedReuse: pooledTokens > 0 ? cachedTokens / pooledTokens : null,
    imbalance: sent > 0 ? (Math.max(...sentTokens) * run.engines) / sent : 1,
    preemptions: run.preemptions,
    goodput: slo === null ? null : share(good, measuredS),
    engineSteps: run.engineSteps,
    virtualMs: run.virtualMs,
  };
}

/** The records in the terms of {@link TwinRecords}. */
export function recordsOf(requests: readonly SimulatedRequest[], records: Records): TwinRecords {
  const { arrivalMs, firstTokenMs, endMs } = records;
  const ttftMs = firstTokenMs.map((atMs, index) => atMs - arrivalMs[index]!);
  const e2eMs = endMs.map((atMs, index) => atMs - arrivalMs[index]!);
  const tpotMs = e2eMs.map((e2e, index) => {
    const { outputTokens } = requests[index]!;
    if (outputTokens === 1) return NaN;
    // the difference of two infinities is no number
    return e2e < Infinity ? (e2e - ttftMs[index]!) / (outputTokens - 1) : Infinity;
  });
  return { ...records, ttftMs, e2eMs, tpotMs };
}
