import type { Bus } from '@sluice/bus';
import { latencyParameters } from '@sluice/contracts';
import type { PayloadOf } from '@sluice/contracts';
import { biased, PRIORS } from '@sluice/latency-model';
import type { ProfileId } from '@sluice/latency-model';
import type { StepParameters, WorkerSpec } from '@sluice/model';

type Snapshot = PayloadOf<typeof latencyParameters>;
type Variant = Snapshot['variants'][number];

/**
 * Latency parameters in force: what the predictor said last, else the priors of the configured profile. They do not age:
 * without a predictor the last ones are still the best known.
 */
export class LatencyView {
  /** Version of the snapshot in force; null while the priors are. */
  version: number | null = null;
  /** When the predictor was last heard, or the listening began. Milliseconds of performance.now. */
  heardAtMs = performance.now();
  readonly #prior: StepParameters;
  readonly #variants = new Map<string, Variant>();

  constructor(profile: ProfileId) {
    this.#prior = PRIORS[profile];
  }

  /** Follows the predictor's snapshots; `onChange` is called after each newer one. */
  follow(bus: Bus, onChange: () => void): () => void {
    return bus.subscribe(latencyParameters, (snapshot) => {
      this.heardAtMs = performance.now();
      // Equal versions repeat the same snapshot; a smaller one is a predictor that began anew.
      if (snapshot.version === this.version) return;
      this.version = snapshot.version;
      this.#variants.clear();
      for (const variant of snapshot.variants) this.#variants.set(key(variant.pool, variant.variant), variant);
      onChange();
    });
  }

  /** Step parameters of a worker, its bias applied. */
  step(spec: WorkerSpec): StepParameters {
    const variant = this.#variants.get(key(spec.pool, spec.variant));
    return variant === undefined ? this.#prior : biased(variant.step, variant.workerBias[spec.id] ?? 1);
  }

  /** Mean output tokens over the variants of a pool by samples; null when nothing was learned. */
  meanOutputTokens(pool: string): number | null {
    let samples = 0;
    let sum = 0;
    for (const variant of this.#variants.values()) {
      if (variant.pool !== pool) continue;
      samples += variant.samples;
      sum += variant.samples * variant.meanOutputTokens;
    }
    return samples === 0 ? null : sum / samples;
  }
}

const key = (pool: string, variant: string): string => `${pool}/${variant}`;
