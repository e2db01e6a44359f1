import { describe, expect, it } from '@jest/globals';
import type { StepParameters } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import type { Learner } from './learner.ts';
import { createLearner } from './learner.ts';
import type { Outcome } from './outcome.ts';
import { biased, memoryWaitMs, predictTpotMs, predictTtftMs } from './predict.ts';
import { PRIORS } from './priors.ts';
import type { SyntheticEngine } from './testing/synthetic-engine.ts';
import { syntheticOutcome } from './testing/synthetic-engine.ts';

const engine = { chunkTokens: 8192 };
const truth = PRIORS['llama-3.1-70b-tp4-h100'];
/** An engine on a CPU: 10 to 200 times the default prior. */
const onCpu: StepParameters = {
  t0Ms: 30,
  twMs: 80,
  aMsPerToken: 2,
  kAttMs: 1e-4,
  kKvMs: 2e-3,
  kSeqMs: 1,
  apiBaseMs: 8,
  apiPerTokenMs: 0.01,
};

const synthetic = (step: StepParameters, seed: number): SyntheticEngine => ({
  step,
  engine,
  noise: 0.1,
  rng: seededRng(seed),
});

function teach(learner: Learner, from: SyntheticEngine, count: number): void {
  for (let i = 0; i < count; i++) learner.observe(syntheticOutcome(from));
}

/** Mean relative error of the learned TTFT and TPOT against fresh outcomes measured without noise. */
function modelError(learner: Learner, step: StepParameters): { ttft: number; tpot: number } {
  const from = { ...synthetic(step, 99), noise: 0 };
  const learned = learner.parameters().step;
  let ttft = 0;
  let tpot = 0;
  for (let i = 0; i < 300; i++) {
    const outcome = syntheticOutcome(from);
    const prompt = { ...outcome, cachedTokens: outcome.predictedCachedTokens };
    ttft += Math.abs(predictTtftMs(learned, outcome.load, prompt, engine) / outcome.ttftMs! - 1) / 300;
    tpot += Math.abs(predictTpotMs(learned, outcome.load, outcome) / outcome.tpotMs! - 1) / 300;
  }
  return { ttft, tpot };
}

const outcome = (change: Partial<Outcome> = {}): Outcome => ({ ...syntheticOutcome(synthetic(truth, 4)), ...change });

describe('Learner', () => {
  it('is its prior before samples', () => {
    const learner = createLearner({ prior: truth, engine });
    const tail = expect.closeTo(1.5);
    const none = { ttftFactor: 1, ttftTailFactor: tail, tpotFactor: 1, tpotTailFactor: tail };
    expect(learner.parameters()).toEqual({
      samples: 0,
      step: truth,
      ttftTailFactor: expect.closeTo(1.5),
      tpotTailFactor: expect.closeTo(1.5),
      regimes: { idle: none, loaded: none, queued: none, full: none },
      workerBias: {},
      meanOutputTokens: 256,
      bytesPerToken: 4,
    });
    expect(learner.errors().ttft).toEqual({ samples: 0, mape: null, coverage: null });
  });

  it.each([1, 2, 3])('learns a synthetic engine from 1,000 outcomes with 10 %% noise (seed %d)', (seed) => {
    const learner = createLearner({ prior: PRIORS.default, engine });
    teach(learner, synthetic(truth, seed), 1000);
    const { step, samples, meanOutputTokens, bytesPerToken } = learner.parameters();
    expect(samples).toBe(1000);
    // what loads and prompts tell apart well, within 10 %; t0 and tw only as their sum
    expect(Math.abs(step.aMsPerToken / truth.aMsPerToken - 1)).toBeLessThan(0.1);
    expect(Math.abs((step.t0Ms + step.twMs) / (truth.t0Ms + truth.twMs) - 1)).toBeLessThan(0.1);
    expect(Math.abs(step.kKvMs / truth.kKvMs - 1)).toBeLessThan(0.2);
    const error = modelError(learner, truth);
    expect(error.ttft).toBeLessThan(0.04);
    expect(error.tpot).toBeLessThan(0.04);
    expect(meanOutputTokens).toBeGreaterThan(190);
    expect(meanOutputTokens).toBeLessThan(250);
    expect(bytesPerToken).toBeCloseTo(4.5, 1);
  });

  it('judges itself one step ahead: the error is the noise, and the tail factor covers 90 %', () => {
    const learner = createLearner({ prior: PRIORS.default, engine });
    teach(learner, synthetic(truth, 5), 2000);
    const { ttft, tpot } = learner.errors();
    // mean |error| of log-normal noise of 10 % is 8 %
    expect(ttft.mape).toBeGreaterThan(0.06);
    expect(ttft.mape).toBeLessThan(0.1);
    expect(tpot.mape).toBeLessThan(0.1);
    expect(ttft.coverage).toBeGreaterThan(0.84);
    expect(ttft.coverage).toBeLessThan(0.96);
    expect(tpot.coverage).toBeGreaterThan(0.84);
  });

  it('judges the prediction that was made where it is told, and nobody made one where it is null', () => {
    const learner = createLearner({ prior: truth, engine });
    const { ttftMs, ...rest } = outcome();
    learner.observe({ ...rest, ttftMs, predictedTtftMs: 2 * ttftMs!, predictedTpotMs: null, startedAtMs: 0 });
    expect(learner.errors().ttft.mape).toBeCloseTo(1);
    expect(learner.errors().tpot.mape).toBeLessThan(0.3);
  });

  it.each([1, 2, 3])('finds an engine that is far from its prior within 300 outcomes (seed %d)', (seed) => {
    const learner = createLearner({ prior: PRIORS.default, engine });
    teach(learner, synthetic(onCpu, seed), 300);
    const error = modelError(learner, onCpu);
    expect(error.ttft).toBeLessThan(0.1);
    expect(error.tpot).toBeLessThan(0.1);
  });

  it.each([1, 2, 3, 4])(
    'is not led astray by an engine on a machine that is busy with other things (seed %d)',
    (seed) => {
      const learner = createLearner({ prior: PRIORS.default, engine });
      const rates: number[] = [];
      const from = { ...synthetic(truth, seed), noise: 0.7 };
      for (let i = 0; i < 1000; i++) {
        learner.observe(syntheticOutcome(from));
        if (i >= 300) rates.push(learner.parameters().step.aMsPerToken / truth.aMsPerToken);
      }
      // The price of a token decides whether a cached prefix is worth anything: it must never collapse.
      expect(Math.min(...rates)).toBeGreaterThan(1 / 3);
      expect(Math.max(...rates)).toBeLessThan(3);
    },
  );

  it('adapts within 300 outcomes when all step times change, in either direction', () => {
    const learner = createLearner({ prior: truth, engine });
    teach(learner, synthetic(truth, 6), 500);
    for (const factor of [3, 0.5]) {
      const changed = biased(truth, factor);
      teach(learner, synthetic(changed, 7), 300);
      const error = modelError(learner, changed);
      expect(error.ttft).toBeLessThan(0.08);
      expect(error.tpot).toBeLessThan(0.08);
    }
  });

  it('sees a slow worker as slow, and the variant as it is', () => {
    const learner = createLearner({ prior: PRIORS.default, engine });
    const rng = seededRng(8);
    for (let i = 0; i < 2000; i++) {
      const worker = `w${i % 4}`;
      const slowness = worker === 'w3' ? 1.5 : 1;
      learner.observe(syntheticOutcome({ step: truth, engine, noise: 0.1, rng, worker, slowness }));
    }
    const { w0, w3 } = learner.parameters().workerBias;
    expect(w3! / w0!).toBeGreaterThan(1.35);
    expect(w3! / w0!).toBeLessThan(1.65);
  });

  it('is not moved by one absurd outcome in twenty', () => {
    const learner = createLearner({ prior: truth, engine });
    const from = synthetic(truth, 9);
    for (let i = 0; i < 2000; i++) {
      const good = syntheticOutcome(from);
      const absurd = i % 2 === 0 ? 0.001 : 3_000_000;
      learner.observe(i % 20 < 19 ? good : { ...good, ttftMs: absurd, tpotMs: absurd });
    }
    const error = modelError(learner, truth);
    expect(error.ttft).toBeLessThan(0.06);
    expect(error.tpot).toBeLessThan(0.06);
  });

  it('rejects numbers that cannot be, and is unchanged by them', () => {
    const learner = createLearner({ prior: truth, engine });
    teach(learner, synthetic(truth, 10), 50);
    const before = JSON.stringify(learner);
    const load = outcome().load;
    const impossible: Partial<Outcome>[] = [
      { ttftMs: NaN },
      { ttftMs: 0 },
      { tpotMs: -1 },
      { ttftMs: Infinity },
      { tpotMs: 1e12 },
      { promptTokens: 0 },
      { promptTokens: NaN },
      { outputTokens: -5 },
      { cachedTokens: NaN },
      { load: { ...load, decodeContextTokens: NaN } },
      { load: { ...load, queuedPrefillTokens: -1 } },
      { predictedTtftMs: 0 },
      { predictedTpotMs: Infinity },
      { startedAtMs: NaN },
    ];
    for (const change of impossible) {
      expect(learner.observe(outcome(change))).toEqual({ kind: 'rejected', reason: 'invalid' });
    }
    expect(JSON.stringify(learner)).toBe(before);
  });

  it('ignores what was not served or measured nothing, and learns TTFT of an answer the client gave up', () => {
    const learner = createLearner({ prior: truth, engine });
    expect(learner.observe(outcome({ result: 'upstream-error' }))).toEqual({ kind: 'ignored', reason: 'not-served' });
    expect(learner.observe(outcome({ result: 'rejected' }))).toEqual({ kind: 'ignored', reason: 'not-served' });
    expect(learner.observe(outcome({ ttftMs: null, tpotMs: null }))).toEqual({
      kind: 'ignored',
      reason: 'nothing-measured',
    });
    const meanOutput = learner.parameters().meanOutputTokens;
    const aborted = outcome({ result: 'client-abort', tpotMs: null, e2eMs: null, outputTokens: 1 });
    expect(learner.observe(aborted).kind).toBe('learned');
    expect(learner.errors().ttft.samples).toBe(1);
    expect(learner.parameters().meanOutputTokens).toBe(meanOutput);
  });

  it('learns from answers that were not streamed what they show, their sum, and claims no TTFT from them', () => {
    const learner = createLearner({ prior: PRIORS.default, engine });
    const from = { ...synthetic(truth, 11), streamed: false };
    teach(learner, from, 1000);
    expect(learner.errors()).toEqual({
      ttft: { samples: 0, mape: null, coverage: null },
      tpot: { samples: 0, mape: null, coverage: null },
    });
    expect(modelError(learner, truth).tpot).toBeLessThan(0.06);
    // A first byte of an answer that came whole is its end: it must not be taken for a first token.
    const whole = outcome({ streamed: false, ttftMs: 9000, tpotMs: null, e2eMs: 9000 });
    learner.observe(whole);
    expect(learner.errors().ttft.samples).toBe(0);
  });

  it('learns the same constants when later prompts are computed in its steps, where somebody watched', () => {
    const rng = seededRng(21);
    const errorAfter = (watched: boolean): number => {
      const learner = createLearner({ prior: PRIORS.default, engine });
      for (let i = 0; i < 1500; i++) {
        const plain = syntheticOutcome(synthetic(truth, 1000 + i));
        const tokensAfter = rng() < 0.6 ? 0 : Math.floor(60_000 * rng());
        const stepsAfter = Math.ceil(tokensAfter / engine.chunkTokens);
        const beside = {
          tokensBefore: plain.load.queuedPrefillTokens,
          pairsBefore: plain.load.queuedPrefillTokens ** 2 / 4,
          tokensAfter,
          pairsAfter: tokensAfter * 2000,
          stepsAfter,
        };
        const slowerMs = tokensAfter * truth.aMsPerToken - stepsAfter * truth.twMs + truth.kAttMs * beside.pairsAfter;
        const tpotMs = plain.tpotMs! + Math.max(0, slowerMs) / (plain.outputTokens - 1);
        learner.observe({ ...plain, tpotMs, ...(watched && { beside }) });
      }
      const { step } = learner.parameters();
      const decodeMs = (of: StepParameters): number => of.t0Ms + of.twMs + 20 * of.kSeqMs + 60_000 * of.kKvMs;
      return Math.abs(decodeMs(step) / decodeMs(truth) - 1);
    };
    expect(errorAfter(true)).toBeLessThan(0.05);
    expect(errorAfter(false)).toBeGreaterThan(2 * errorAfter(true));
  });

  it('learns nothing about steps from a first token that waited for memory, but how long such waits are', () => {
    const learner = createLearner({ prior: truth, engine });
    for (let i = 0; i < 300; i++) {
      const { load, ...plain } = syntheticOutcome(synthetic(truth, 5000 + i));
      learner.observe({ ...plain, ttftMs: 3 * plain.ttftMs!, tpotMs: null, load: { ...load, kvForecast: 0.97 } });
    }
    expect(learner.parameters().step).toEqual(truth);
    const { full, queued } = learner.parameters().regimes;
    // of 300 samples a correction is not yet all
    expect(full.ttftFactor).toBeCloseTo(3 ** (300 / 350), 1);
    expect(full.ttftTailFactor).toBeGreaterThan(2.5);
    expect(queued).toEqual({
      ttftFactor: 1,
      ttftTailFactor: expect.closeTo(1.5),
      tpotFactor: 1,
      tpotTailFactor: expect.closeTo(1.5),
    });
  });

  it('counts the wait for memory into the TTFT, which a router leaves out of its prediction', () => {
    const learner = createLearner({ prior: truth, engine });
    for (let i = 0; i < 200; i++) {
      const { load: plain, ...rest } = syntheticOutcome({ ...synthetic(truth, 7000 + i), noise: 0 });
      const load = { ...plain, kvForecast: 1.2 };
      const prompt = { ...rest, cachedTokens: rest.predictedCachedTokens, outputTokens: 256 };
      const predictedTtftMs = predictTtftMs(truth, load, prompt, engine);
      const ttftMs = predictedTtftMs + memoryWaitMs(truth, load, prompt);
      // given up after the first token: the mean output stays what it is
      learner.observe({
        ...rest,
        result: 'client-abort',
        outputTokens: 1,
        tpotMs: null,
        ttftMs,
        predictedTtftMs,
        load,
      });
    }
    expect(learner.errors().ttft.mape).toBeLessThan(1e-6);
    expect(learner.parameters().regimes.full.ttftFactor).toBe(1);
  });

  it('goes on from its stored state exactly as if it had never stopped', () => {
    const first = createLearner({ prior: PRIORS.default, engine });
    teach(first, synthetic(truth, 12), 400);
    const second = createLearner({ prior: PRIORS.default, engine });
    expect(second.restore(JSON.parse(JSON.stringify(first)))).toBe(true);
    for (const learner of [first, second]) teach(learner, synthetic(truth, 13), 50);
    expect(second.parameters()).toEqual(first.parameters());
    expect(second.errors()).toEqual(first.errors());
  });

  it('does not take over what is not a state', () => {
    const learner = createLearner({ prior: truth, engine });
    const good = JSON.parse(JSON.stringify(learner)) as Record<string, unknown>;
    const withWindow = (window: unknown): unknown => {
      const { tpot } = learner.toJSON();
      return { ...tpot, regimes: { ...tpot.regimes, idle: { ...tpot.regimes.idle, window } } };
    };
    const broken = [
      null,
      42,
      [],
      {},
      { ...good, version: 1 },
      { ...good, samples: 'many' },
      { ...good, estimator: { scale: [1, 2, 3] } },
      { ...good, bias: [['w0', null, 3, 0.1]] },
      { ...good, tpot: withWindow({ residuals: [0.1, 0.2], arrivals: [1] }) },
      { ...good, tpot: withWindow({ residuals: [NaN], arrivals: [1] }) },
    ];
    for (const state of broken) expect(learner.restore(state)).toBe(false);
    expect(learner.parameters().step).toEqual(truth);
    expect(learner.restore(good)).toBe(true);
  });
});
