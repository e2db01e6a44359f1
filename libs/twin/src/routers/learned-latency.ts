import { biased, createLearner } from '@sluice/latency-model';
import type { Learner, Outcome } from '@sluice/latency-model';
import type { StepParameters, WorkerId } from '@sluice/model';

export type OutcomeListener = (row: number, outcome: Outcome, sentMs: number, nowMs: number) => void;

/** The latency predictor: a learner per variant, taught by what every router saw. */
export class LearnedLatency {
  private readonly ids: readonly WorkerId[];
  /** By row. */
  private readonly learners: readonly Learner[];
  private readonly listener: OutcomeListener;

  /** @param priors step constants believed at the start, by row as the others */
  constructor(
    ids: readonly WorkerId[],
    variants: readonly string[],
    priors: readonly StepParameters[],
    listener: OutcomeListener = () => undefined,
  ) {
    this.ids = ids;
    this.listener = listener;
    const byVariant = new Map<string, Learner>();
    this.learners = variants.map((variant, row) => {
      const learner = byVariant.get(variant) ?? createLearner({ prior: priors[row]! });
      byVariant.set(variant, learner);
      return learner;
    });
  }

  observe(row: number, outcome: Outcome, sentMs: number, nowMs: number): void {
    this.listener(row, outcome, sentMs, nowMs);
    this.learners[row]!.observe(outcome);
  }

  /** Step constants as learned so far, by row. */
  steps(): StepParameters[] {
    const learned = new Map(this.learners.map((learner) => [learner, learner.parameters()]));
    return this.learners.map((learner, row) => {
      const { step, workerBias } = learned.get(learner)!;
      return biased(step, workerBias[this.ids[row]!] ?? 1);
    });
  }
}
