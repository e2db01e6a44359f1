import { Ewma } from '@sluice/numerics';
import type { StepParameters } from '@sluice/model';
import type { PredictionErrors } from './error-tracker.ts';
import { ErrorTracker } from './error-tracker.ts';
import { isLearnerState } from './learner-state.ts';
import type { LearnerState } from './learner-state.ts';
import type { Measured, Outcome } from './outcome.ts';
import { endedAtMs, readOutcome } from './outcome.ts';
import { memoryWaitMs } from './predict.ts';
import { REGIMES, regimeOf } from './regime.ts';
import type { Regime } from './regime.ts';
import type { Target } from './step-estimator.ts';
import { StepEstimator } from './step-estimator.ts';
import type { EngineShape, Work } from './work.ts';
import { addPrefillBeside, createWork, DEFAULT_ENGINE_SHAPE, tpotWork, ttftWork, workMs } from './work.ts';
import { WorkerBias } from './worker-bias.ts';

export interface LearnerOptions {
  /** What is believed before samples. */
  readonly prior: StepParameters;
  readonly engine?: EngineShape;
}

/** What became of an outcome. */
export type Observation =
  | { readonly kind: 'learned'; readonly newRegime: boolean }
  | { readonly kind: 'ignored'; readonly reason: 'not-served' | 'nothing-measured' }
  | { readonly kind: 'rejected'; readonly reason: 'invalid' | 'outlier' };

/** Factors on what the step constants predict, in one regime; the TTFT with {@link memoryWaitMs}. */
export interface RegimeFactors {
  /** Makes the mean relative error least; 1 where the constants alone did as well. */
  readonly ttftFactor: number;
  /** Covers 90 % of the outcomes. */
  readonly ttftTailFactor: number;
  readonly tpotFactor: number;
  readonly tpotTailFactor: number;
}

/** What the learner says of its variant; the payload of `latency.v1` without pool and variant. */
export interface LearnedParameters {
  /** Outcomes learned from; 0: this is the prior. */
  readonly samples: number;
  readonly step: StepParameters;
  /** Over all regimes. */
  readonly ttftTailFactor: number;
  readonly tpotTailFactor: number;
  readonly regimes: Readonly<Record<Regime, RegimeFactors>>;
  /** Multiplies every prediction of a worker; absent ones have 1. */
  readonly workerBias: Record<string, number>;
  readonly meanOutputTokens: number;
  readonly bytesPerToken: number;
}

export interface LearnerErrors {
  readonly ttft: PredictionErrors;
  readonly tpot: PredictionErrors;
}

const PRIOR_OUTPUT_TOKENS = 256;
const PRIOR_BYTES_PER_TOKEN = 4;
const MEAN_HALF_LIFE = 200;

/**
 * Learns the latency of one variant online from the outcomes of its requests. Deterministic: equal outcomes in equal
 * order give equal parameters. README.md tells what it assumes.
 */
export class Learner {
  private readonly engine: EngineShape;
  private readonly estimator: StepEstimator;
  private readonly bias = new WorkerBias();
  private readonly ttft = new ErrorTracker();
  private readonly tpot = new ErrorTracker();
  private readonly outputTokens = new Ewma(MEAN_HALF_LIFE, PRIOR_OUTPUT_TOKENS, 1);
  private readonly bytesPerToken = new Ewma(MEAN_HALF_LIFE, PRIOR_BYTES_PER_TOKEN, 1);
  private readonly ttftScratch = createWork();
  private readonly tpotScratch = createWork();
  private samples = 0;

  constructor(options: LearnerOptions) {
    this.engine = options.engine ?? DEFAULT_ENGINE_SHAPE;
    this.estimator = new StepEstimator(options.prior);
  }

  /** Judges the prediction by `outcome`, then learns from it. Whatever is in `outcome`, the state stays usable. */
  observe(outcome: Outcome): Observation {
    const reading = readOutcome(outcome);
    if (reading.kind === 'invalid') return { kind: 'rejected', reason: 'invalid' };
    if (reading.kind === 'ignored') return reading;
    this.judge(outcome, reading.measured);
    const results = this.learn(outcome, reading.measured);
    if (results.length === 0) return { kind: 'ignored', reason: 'nothing-measured' };
    if (!results.includes('learned') && !results.includes('new-regime')) {
      return { kind: 'rejected', reason: 'outlier' };
    }
    const newRegime = results.includes('new-regime');
    if (newRegime) {
      this.bias.clear();
      this.ttft.restartTail();
      this.tpot.restartTail();
    }
    this.samples++;
    if (outcome.result === 'completed') this.outputTokens.observe(outcome.outputTokens);
    if (outcome.promptBytes !== undefined && outcome.promptBytes > 0) {
      this.bytesPerToken.observe(outcome.promptBytes / outcome.promptTokens);
    }
    return { kind: 'learned', newRegime };
  }

  parameters(): LearnedParameters {
    return {
      samples: this.samples,
      step: this.estimator.parameters(),
      ttftTailFactor: this.ttft.tailFactor,
      tpotTailFactor: this.tpot.tailFactor,
      regimes: this.regimes(),
      workerBias: Object.fromEntries(this.bias.factors()),
      meanOutputTokens: this.outputTokens.value,
      bytesPerToken: this.bytesPerToken.value,
    };
  }

  /** Errors of recent predictions, each made before its outcome was learned from. */
  errors(): LearnerErrors {
    return { ttft: this.ttft.errors(), tpot: this.tpot.errors() };
  }

  toJSON(): LearnerState {
    return {
      version: 3,
      samples: this.samples,
      estimator: this.estimator.toState(),
      bias: this.bias.toState(),
      ttft: this.ttft.toState(),
      tpot: this.tpot.toState(),
      outputTokens: this.outputTokens.toState(),
      bytesPerToken: this.bytesPerToken.toState(),
    };
  }

  /** Takes over a stored state; false, and nothing changed, when `state` is not one. */
  restore(state: unknown): boolean {
    if (!isLearnerState(state)) return false;
    this.samples = state.samples;
    this.estimator.restore(state.estimator);
    this.bias.restore(state.bias);
    this.ttft.restore(state.ttft);
    this.tpot.restore(state.tpot);
    this.outputTokens.restore(state.outputTokens);
    this.bytesPerToken.restore(state.bytesPerToken);
    return true;
  }

  private regimes(): Record<Regime, RegimeFactors> {
    const factors = REGIMES.map((regime) => {
      const ttft = this.ttft.factors(regime);
      const tpot = this.tpot.factors(regime);
      const { factor: ttftFactor, tailFactor: ttftTailFactor } = ttft;
      return [regime, { ttftFactor, ttftTailFactor, tpotFactor: tpot.factor, tpotTailFactor: tpot.tailFactor }];
    });
    return Object.fromEntries(factors) as Record<Regime, RegimeFactors>;
  }

  /** What was predicted is what the router knew: its own count of cached tokens, the mean output, the worker's bias. */
  private judge(outcome: Outcome, measured: Measured): void {
    const bias = this.bias.factor(outcome.worker);
    const regime = regimeOf(outcome.load);
    const times = { sentMs: outcome.startedAtMs ?? null, endedMs: endedAtMs(outcome) };
    if (measured.ttftMs !== null) {
      const plainMs = this.ttftMs(outcome, outcome.predictedCachedTokens) * bias;
      const waitMs = this.memoryWaitMs(outcome) * bias;
      const [predictedMs, modelMs] = [(outcome.predictedTtftMs ?? plainMs) + waitMs, plainMs + waitMs];
      this.ttft.observe({ regime, predictedMs, modelMs, measuredMs: measured.ttftMs, ...times });
    }
    if (measured.tpotMs !== null) {
      const modelMs = this.tpotMs(outcome, this.outputTokens.value) * bias;
      const predictedMs = outcome.predictedTpotMs ?? modelMs;
      this.tpot.observe({ regime, predictedMs, modelMs, measuredMs: measured.tpotMs, ...times });
    }
  }

  /**
   * What is learned from is what happened: the tokens that were cached, those that came out, and what else was computed
   * meanwhile. Where memory is short a TTFT says how long that lasted, and nothing about steps.
   */
  private learn(outcome: Outcome, measured: Measured): ReturnType<StepEstimator['observe']>[] {
    const cached = outcome.cachedTokens ?? outcome.predictedCachedTokens;
    const results: ReturnType<StepEstimator['observe']>[] = [];
    if (measured.ttftMs !== null && regimeOf(outcome.load) !== 'full') {
      this.ttftHappened(outcome, cached);
      results.push(this.learnSample('ttft', this.ttftScratch, measured.ttftMs, outcome.worker));
    }
    if (measured.tpotMs !== null) {
      this.tpotHappened(outcome);
      results.push(this.learnSample('tpot', this.tpotScratch, measured.tpotMs, outcome.worker));
    }
    if (measured.totalMs !== null) {
      this.ttftHappened(outcome, cached);
      this.tpotHappened(outcome);
      const work = this.ttftScratch;
      for (let i = 0; i < work.length; i++) work[i]! += (outcome.outputTokens - 1) * this.tpotScratch[i]!;
      results.push(this.learnSample('total', work, measured.totalMs, outcome.worker));
    }
    return results;
  }

  private learnSample(target: Target, work: Work, ms: number, worker: string): ReturnType<StepEstimator['observe']> {
    const logResidual = Math.log(ms / workMs(this.estimator.parameters(), work));
    const result = this.estimator.observe(target, work, ms / this.bias.factor(worker));
    if (result !== 'new-regime') this.bias.observe(worker, logResidual);
    return result;
  }

  private ttftMs(outcome: Outcome, cachedTokens: number): number {
    const step = this.estimator.parameters();
    const prompt = { promptTokens: outcome.promptTokens, cachedTokens };
    ttftWork(step, outcome.load, prompt, this.engine, this.ttftScratch);
    return workMs(step, this.ttftScratch);
  }

  private tpotMs(outcome: Outcome, outputTokens: number): number {
    const step = this.estimator.parameters();
    tpotWork(step, outcome.load, { promptTokens: outcome.promptTokens, outputTokens }, this.tpotScratch);
    return workMs(step, this.tpotScratch);
  }

  /** What a router's TTFT leaves out. */
  private memoryWaitMs({ load, promptTokens, predictedCachedTokens }: Outcome): number {
    const prompt = { promptTokens, cachedTokens: predictedCachedTokens, outputTokens: this.outputTokens.value };
    return memoryWaitMs(this.estimator.parameters(), load, prompt);
  }

  /** Leaves the work until the first token, as it turned out, in `ttftScratch`. */
  private ttftHappened({ promptTokens, load, beside }: Outcome, cachedTokens: number): void {
    const step = this.estimator.parameters();
    ttftWork(step, load, { promptTokens, cachedTokens }, this.engine, this.ttftScratch, beside ?? null);
  }

  /** Leaves the work of one output token, as it turned out on average, in `tpotScratch`. */
  private tpotHappened({ promptTokens, outputTokens, load, beside }: Outcome): void {
    const step = this.estimator.parameters();
    tpotWork(step, load, { promptTokens, outputTokens }, this.tpotScratch);
    if (beside === undefined) return;
    addPrefillBeside(step, load, Math.max(1, outputTokens - 1), beside, this.tpotScratch);
  }
}

/** A learner that knows nothing but its prior. */
export const createLearner = (options: LearnerOptions): Learner => new Learner(options);
