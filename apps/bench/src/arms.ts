import type { FlowControlOptions } from '@sluice/flow-control';
import { peakPrefillTokensPerMs } from '@sluice/routing';
import type { PolicyId, PolicyOptions } from '@sluice/routing';
import { PROFILES } from '@sluice/engine-model';

/** A policy with its options, as a row of a table. */
export interface Arm {
  readonly label: string;
  readonly policy: PolicyId;
  readonly options?: PolicyOptions;
  /** With the router's flow control in front, as a pool has it by default. Only policies that decide in milliseconds hold requests. */
  readonly flowControl?: Partial<FlowControlOptions>;
}

const QWEN3_PEAK = peakPrefillTokensPerMs(PROFILES['qwen3-32b-tp2-h100'].step);

/** `sticky-until-saturated` that gives up a cached worker when it has `tau` tokens of prefill more than the coldest. */
const stickyWithin = (tau: number, affinityThreshold: number): PolicyOptions => ({
  stickyUntilSaturated: { affinityThreshold, maxTtftPenaltyMs: tau / QWEN3_PEAK },
});

/** What a router does by default, but that its queue is as long as it has to be: what others answer late it does not shed. */
export const EXPECTED: Arm = {
  label: 'expected-latency',
  policy: 'expected-latency',
  flowControl: { maxRequests: 1_000_000, maxBytes: Number.MAX_SAFE_INTEGER },
};
export const ORACLE: Arm = { label: 'oracle', policy: 'oracle' };
export const LEAST_REQUEST: Arm = { label: 'least-request', policy: 'least-request' };
export const RANDOM: Arm = { label: 'random', policy: 'random' };
export const WEIGHTED_322: Arm = { label: 'weighted-3-2-2', policy: 'weighted-3-2-2' };
export const WEIGHTED_111: Arm = {
  label: 'weighted 1:1:1',
  policy: 'weighted-3-2-2',
  options: { weighted: { prefixWeight: 1, queueWeight: 1, freeKvWeight: 1 } },
};
export const WEIGHTED_211: Arm = {
  label: 'weighted 2:1:1',
  policy: 'weighted-3-2-2',
  options: { weighted: { prefixWeight: 2, queueWeight: 1, freeKvWeight: 1 } },
};
/** llm-d's defaults: 80 % cached, 286,720 tokens (18 s at the throughput that its guide measured). */
export const STICKY: Arm = {
  label: 'sticky-until-saturated',
  policy: 'sticky-until-saturated',
  options: stickyWithin(286_720, 0.8),
};
/** The variant of it that did best in a search: a quarter cached is enough, and it gives up far earlier. */
export const STICKY_40K: Arm = {
  label: 'sticky, tau 40k',
  policy: 'sticky-until-saturated',
  options: stickyWithin(40_000, 0.25),
};
export const DYNAMO: Arm = { label: 'dynamo-kv', policy: 'dynamo-kv' };
/** Best geometric mean in `tune.bench.ts`, on a seed that no table uses. The default of `bounded-hash` was the best there. */
export const DYNAMO_TUNED: Arm = {
  label: 'dynamo-kv, tuned',
  policy: 'dynamo-kv',
  options: { dynamoKv: { overlapWeight: 16 } },
};
/** Whoever could be chosen instead of `expected-latency` with its best settings: the strongest comparators. */
export const RIVALS: readonly Arm[] = [WEIGHTED_322, STICKY, STICKY_40K, DYNAMO, DYNAMO_TUNED, LEAST_REQUEST];

/** Every policy that a user can choose, and the oracle. */
export const ALL_ARMS: readonly Arm[] = [
  EXPECTED,
  ORACLE,
  ...RIVALS,
  { label: 'token-load', policy: 'token-load' },
  { label: 'bounded-hash', policy: 'bounded-hash' },
  { label: 'session-hash', policy: 'session-hash' },
  { label: 'p2c', policy: 'p2c' },
  { label: 'round-robin', policy: 'round-robin' },
  RANDOM,
];
