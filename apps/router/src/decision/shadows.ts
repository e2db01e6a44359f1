import type { DecisionShadow } from '@sluice/contracts';
import type { RouteQuery, Signal } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { ShadowPolicies } from '@sluice/routing';
import type { Policy, PolicyId, PolicyOptions, ShadowChoice } from '@sluice/routing';
import { fleetPolicy } from '../fleet/fleet-policy.ts';
import type { Pool } from '../fleet/pool.ts';
import { finite } from './finite.ts';
import type { ShadowObserver } from './shadow-metrics.ts';

export interface ShadowsOptions {
  readonly policies: readonly string[];
  /** Share of the decisions that they are asked about, 0 to 1. */
  readonly sample: number;
  /** Prices and weights other than the policies' defaults. */
  readonly policyOptions: PolicyOptions;
  /** Columns that something fills. */
  readonly filled: readonly Signal[];
  readonly observerOf: (pool: string, policy: PolicyId) => ShadowObserver;
  readonly seed: number;
}

/** The shadow policies of one pool, and what each tells its metrics. Begun anew when another policy decides. */
interface PoolShadows {
  readonly against: Policy;
  readonly policies: ShadowPolicies;
  readonly observers: readonly ShadowObserver[];
}

const NONE: readonly DecisionShadow[] = [];

/** Asks other policies about a share of the live decisions. Without any configured, a decision pays one comparison. */
export class Shadows {
  readonly #options: ShadowsOptions;
  /** Draws seeds and samples: nothing here draws from the router's own numbers. */
  readonly #rng: () => number;
  #ids: readonly PolicyId[] = [];
  #reads: ReadonlySet<Signal> = new Set();
  #sample = 0;
  #policyOptions: PolicyOptions = {};
  #pools = new WeakMap<Pool, PoolShadows>();

  /** @throws Error when a policy is unknown or needs what nothing fills. */
  constructor(options: ShadowsOptions) {
    this.#options = options;
    this.#rng = seededRng(options.seed);
    const error = this.set(options.policies, options.sample, options.policyOptions);
    if (error !== null) throw new Error(error);
  }

  get ids(): readonly PolicyId[] {
    return this.#ids;
  }

  get sample(): number {
    return this.#sample;
  }

  /** Whether any of them reads `signal`. */
  reads(signal: Signal): boolean {
    return this.#reads.has(signal);
  }

  /** Other shadow policies from now on; what was counted begins anew. Returns why not when one cannot run here. */
  set(ids: readonly string[], sample: number, policyOptions: PolicyOptions): string | null {
    const policies: PolicyId[] = [];
    const reads = new Set<Signal>();
    for (const id of ids) {
      const made = fleetPolicy(id, this.#options.filled, { options: policyOptions });
      if (made.kind === 'error') return made.message;
      if (policies.includes(made.policy.id)) return `policy '${id}' is named twice`;
      policies.push(made.policy.id);
      for (const signal of made.policy.needs) reads.add(signal);
    }
    this.#ids = policies;
    this.#reads = reads;
    this.#sample = sample;
    this.#policyOptions = policyOptions;
    this.#pools = new WeakMap();
    return null;
  }

  /**
   * The views of every shadow policy on a decision for row `chosen`, when it is among those sampled; else none.
   * To be called while the pool's columns are what the decision was made on.
   */
  consider(pool: Pool, query: RouteQuery, chosen: number): readonly DecisionShadow[] {
    if (this.#ids.length === 0 || this.#rng() >= this.#sample) return NONE;
    const { policies, observers } = this.#shadowsOf(pool);
    const choices = policies.consider(pool.table.columns, query, chosen);
    for (let i = 0; i < choices.length; i++) observers[i]!(choices[i]!);
    return choices.map((choice) => viewOf(choice, pool));
  }

  /** What the shadow policies of `pool` have come to; null before the first decision that they were asked about. */
  talliesOf(
    pool: Pool,
  ): { readonly against: PolicyId; readonly tallies: ReturnType<ShadowPolicies['tallies']> } | null {
    const shadows = this.#pools.get(pool);
    return shadows === undefined ? null : { against: shadows.against.id, tallies: shadows.policies.tallies() };
  }

  #shadowsOf(pool: Pool): PoolShadows {
    const known = this.#pools.get(pool);
    if (known !== undefined && known.against === pool.policy) return known;
    const policies = this.#ids.map((id) => this.#policy(id));
    const rngs = policies.map(() => seededRng(Math.floor(this.#rng() * 2 ** 32)));
    const observers = this.#ids.map((id) => this.#options.observerOf(pool.id, id));
    const shadows = { against: pool.policy, policies: new ShadowPolicies(policies, rngs), observers };
    this.#pools.set(pool, shadows);
    return shadows;
  }

  /** A policy of its own for a pool: some have state. */
  #policy(id: PolicyId): Policy {
    const made = fleetPolicy(id, this.#options.filled, { options: this.#policyOptions });
    if (made.kind === 'error') throw new RangeError(made.message); // `set` has made it before
    return made.policy;
  }
}

const viewOf = (choice: ShadowChoice, pool: Pool): DecisionShadow => ({
  policy: choice.policy,
  worker: choice.row < 0 ? null : pool.ids[choice.row]!,
  agrees: choice.agrees,
  ttftMs: finite(choice.ttftMs),
  e2eMs: finite(choice.e2eMs),
  ttftRegretMs: finite(choice.ttftRegretMs),
  e2eRegretMs: finite(choice.e2eRegretMs),
});
