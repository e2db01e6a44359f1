import type { latencyParameters, PayloadOf, routeOutcome } from '@sluice/contracts';
import { createLearner, PRIORS } from '@sluice/latency-model';
import type {
  EngineShape,
  Learner,
  LearnedParameters,
  LearnerErrors,
  Observation,
  ProfileId,
} from '@sluice/latency-model';

export type Outcome = PayloadOf<typeof routeOutcome>;
export type ParameterSnapshot = PayloadOf<typeof latencyParameters>;
export type VariantParameters = ParameterSnapshot['variants'][number] & LearnedParameters;

/** What is known of one variant. */
export interface VariantView {
  readonly parameters: VariantParameters;
  /** The profile that it started from. */
  readonly prior: ProfileId;
  readonly errors: LearnerErrors;
  /** When it last learned from an outcome, milliseconds since the Unix epoch; null when it never did. */
  readonly updatedAtMs: number | null;
}

/** A variant's learner as it is stored. */
export interface StoredVariant {
  readonly pool: string;
  readonly variant: string;
  readonly updatedAtMs: number | null;
  readonly state: unknown;
}

export type Learned = Observation | { readonly kind: 'rejected'; readonly reason: 'too-many-variants' };

export interface PredictorOptions {
  readonly priors: ReadonlyMap<string, ProfileId>;
  readonly engine: EngineShape;
}

interface Entry {
  readonly pool: string;
  readonly variant: string;
  readonly prior: ProfileId;
  learner: Learner;
  updatedAtMs: number | null;
}

/** Variants come from outcomes, so a sender that invents names must not fill the memory. */
const MOST_VARIANTS = 1024;

/** Key of a variant, unique whatever the names contain. */
export const variantKey = (pool: string, variant: string): string => JSON.stringify([pool, variant]);

/** The learners of all variants. The one writer of what is published; see README.md. */
export class Predictor {
  /** Changes whenever the parameters do. */
  revision = 0;
  readonly #options: PredictorOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: PredictorOptions) {
    this.#options = options;
  }

  observe(outcome: Outcome, nowMs: number): Learned {
    let entry = this.#entries.get(variantKey(outcome.pool, outcome.variant));
    if (entry === undefined) {
      if (this.#entries.size >= MOST_VARIANTS) return { kind: 'rejected', reason: 'too-many-variants' };
      entry = this.#enter(outcome.pool, outcome.variant);
      this.revision++;
    }
    const result = entry.learner.observe(outcome);
    if (result.kind === 'learned') {
      entry.updatedAtMs = nowMs;
      this.revision++;
    }
    return result;
  }

  variants(): VariantView[] {
    return [...this.#entries.values()].map(view);
  }

  /** A variant never heard of is its prior. */
  variant(pool: string, variant: string): VariantView {
    return view(this.#entries.get(variantKey(pool, variant)) ?? this.#fresh(pool, variant));
  }

  has(pool: string, variant: string): boolean {
    return this.#entries.has(variantKey(pool, variant));
  }

  parameters(): VariantParameters[] {
    return [...this.#entries.values()].map(parametersOf);
  }

  /** Back to the prior. False when there is no such variant. */
  reset(pool: string, variant: string): boolean {
    if (!this.has(pool, variant)) return false;
    this.#enter(pool, variant);
    this.revision++;
    return true;
  }

  /** A variant for the store; null when there is none. */
  stored(key: string): StoredVariant | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    const { pool, variant, updatedAtMs, learner } = entry;
    return { pool, variant, updatedAtMs, state: learner.toJSON() };
  }

  /**
   * Takes over a stored variant unless more was learned here meanwhile. False when its state cannot be used: the variant
   * then learns anew.
   */
  restore(stored: StoredVariant): boolean {
    const { pool, variant } = stored;
    const entry = this.#fresh(pool, variant);
    if (!entry.learner.restore(stored.state)) return false;
    const key = variantKey(pool, variant);
    const here = this.#entries.get(key)?.learner.parameters().samples ?? -1;
    if (here > entry.learner.parameters().samples) return true;
    entry.updatedAtMs = stored.updatedAtMs;
    this.#entries.set(key, entry);
    this.revision++;
    return true;
  }

  #enter(pool: string, variant: string): Entry {
    const entry = this.#fresh(pool, variant);
    this.#entries.set(variantKey(pool, variant), entry);
    return entry;
  }

  #fresh(pool: string, variant: string): Entry {
    const { priors, engine } = this.#options;
    const prior = priors.get(`${pool}/${variant}`) ?? priors.get(variant) ?? 'default';
    const learner = createLearner({ prior: PRIORS[prior], engine });
    return { pool, variant, prior, learner, updatedAtMs: null };
  }
}

const parametersOf = ({ pool, variant, learner }: Entry): VariantParameters => ({
  pool,
  variant,
  ...learner.parameters(),
});

const view = (entry: Entry): VariantView => ({
  parameters: parametersOf(entry),
  prior: entry.prior,
  errors: entry.learner.errors(),
  updatedAtMs: entry.updatedAtMs,
});
