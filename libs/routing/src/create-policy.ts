import type { Policy } from './policy.ts';
import { POLICY_IDS, SIMULATED_POLICY_IDS } from './policy-id.ts';
import type { PolicyId } from './policy-id.ts';
import { DYNAMO_KV_DEFAULTS, dynamoKv } from './policies/dynamo-kv.ts';
import type { DynamoKvOptions } from './policies/dynamo-kv.ts';
import { EXPECTED_LATENCY_DEFAULTS, expectedLatency } from './policies/expected-latency.ts';
import type { ExpectedLatencyOptions } from './policies/expected-latency.ts';
import { BOUNDED_HASH_DEFAULTS, boundedHash, sessionHash } from './policies/hash.ts';
import type { BoundedHashOptions } from './policies/hash.ts';
import { leastRequest, powerOfTwoChoices, random, roundRobin } from './policies/simple.ts';
import { STICKY_DEFAULTS, stickyUntilSaturated } from './policies/sticky-until-saturated.ts';
import type { StickyOptions } from './policies/sticky-until-saturated.ts';
import { tokenLoad } from './policies/token-load.ts';
import { WEIGHTED_DEFAULTS, weighted322 } from './policies/weighted-3-2-2.ts';
import type { WeightedOptions } from './policies/weighted-3-2-2.ts';

/** Options by policy; the oracle's are `expectedLatency`. */
export interface PolicyOptions {
  readonly expectedLatency?: Partial<ExpectedLatencyOptions>;
  readonly boundedHash?: Partial<BoundedHashOptions>;
  readonly stickyUntilSaturated?: Partial<StickyOptions>;
  readonly dynamoKv?: Partial<DynamoKvOptions>;
  readonly weighted?: Partial<WeightedOptions>;
}

export type PolicyResult =
  | { readonly kind: 'policy'; readonly policy: Policy }
  | { readonly kind: 'unknown-policy'; readonly message: string; readonly known: readonly PolicyId[] }
  | { readonly kind: 'bad-option'; readonly message: string };

const MAKERS: Readonly<Record<PolicyId, (options: PolicyOptions) => Policy>> = {
  'expected-latency': (options) => expectedLatency(options.expectedLatency),
  'round-robin': roundRobin,
  random,
  'least-request': leastRequest,
  p2c: powerOfTwoChoices,
  'session-hash': sessionHash,
  'bounded-hash': (options) => boundedHash(options.boundedHash),
  'token-load': tokenLoad,
  'weighted-3-2-2': (options) => weighted322(options.weighted),
  'sticky-until-saturated': (options) => stickyUntilSaturated(options.stickyUntilSaturated),
  'dynamo-kv': (options) => dynamoKv(options.dynamoKv),
  oracle: (options) => expectedLatency(options.expectedLatency, 'oracle'),
};

const OPTION_DEFAULTS: Readonly<Record<keyof PolicyOptions, object>> = {
  expectedLatency: EXPECTED_LATENCY_DEFAULTS,
  boundedHash: BOUNDED_HASH_DEFAULTS,
  stickyUntilSaturated: STICKY_DEFAULTS,
  dynamoKv: DYNAMO_KV_DEFAULTS,
  weighted: WEIGHTED_DEFAULTS,
};

/** Below these, an option makes no sense; below 0 none does. */
const LEAST: Readonly<Record<string, number>> = { loadFactor: 1, blockTokens: 1 };

/** Makes the policy called `id`. One policy may carry state (round-robin does), so each pool gets its own. */
export const createPolicy = (id: string, options: PolicyOptions = {}): PolicyResult => make(id, options, POLICY_IDS);

/** As {@link createPolicy}, with the policies that only a simulation can run: `oracle`. */
export const createSimulatedPolicy = (id: string, options: PolicyOptions = {}): PolicyResult =>
  make(id, options, SIMULATED_POLICY_IDS);

function make(id: string, options: PolicyOptions, known: readonly PolicyId[]): PolicyResult {
  const found = known.find((each) => each === id);
  if (found === undefined) {
    return { kind: 'unknown-policy', message: `unknown policy '${id}'; known are ${known.join(', ')}`, known };
  }
  const message = badOption(options);
  return message === null ? { kind: 'policy', policy: MAKERS[found](options) } : { kind: 'bad-option', message };
}

function badOption(options: PolicyOptions): string | null {
  for (const [group, values] of Object.entries(options) as [keyof PolicyOptions, object][]) {
    const defaults = OPTION_DEFAULTS[group];
    if (defaults === undefined) return `there are no options called '${group}'`;
    for (const [name, value] of Object.entries(values) as [string, unknown][]) {
      if (!(name in defaults)) return `${group} has no option '${name}'`;
      const least = LEAST[name] ?? 0;
      if (!(typeof value === 'number' && value >= least && value < Infinity)) {
        return `option ${name} of ${group} must be ${least} or more, got ${String(value)}`;
      }
    }
  }
  return null;
}
