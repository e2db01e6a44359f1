import {
  biased,
  createLearner,
  DEFAULT_ENGINE_SHAPE,
  hindsightTpotMs,
  memoryWaitMs,
  predictTpotMs,
  predictTtftMs,
  regimeOf,
  REGIMES,
} from '@sluice/latency-model';
import type { LearnedParameters, Learner, Outcome, Regime } from '@sluice/latency-model';
import type { EngineSetup } from '@sluice/twin';

/** An outcome of a run, with when its request was sent. */
export interface Sample {
  readonly row: number;
  readonly outcome: Outcome;
  readonly sentMs: number;
  readonly endMs: number;
}

/** What was predicted of one request when it was sent, against what came. */
export interface Judged {
  readonly sentMs: number;
  readonly regime: Regime;
  /** |predicted - measured| / measured; null where the answer does not show it. */
  readonly ttftError: number;
  readonly ttftCovered: boolean;
  readonly tpotError: number | null;
  readonly tpotCovered: boolean;
  /** Of the TPOT, had it been known what else the engine would compute meanwhile. */
  readonly tpotHindsightError: number | null;
}

/** How often learned parameters reach the routers. */
const REFRESH_MS = 1000;
/** Below this a mean gap is one or two steps: as in the learner. */
const FEWEST_FOR_TPOT = 4;

interface Forecast {
  /** By the step constants and the worker's bias: what a router puts into the outcome. */
  readonly modelTtftMs: number;
  readonly modelTpotMs: number;
  readonly ttftMs: number;
  readonly ttftTailMs: number;
  readonly tpotMs: number;
  readonly tpotTailMs: number;
}

/**
 * Predicts every request with what was in force when it was sent, judges that when it ends, and only then learns from
 * it. A learner for each variant, starting from the profile's constants; in order of what ended when.
 */
export function replay(samples: readonly Sample[], engines: readonly EngineSetup[]): Judged[] {
  const learners = new Map<string, Learner>();
  const byRow = engines.map(({ variant, profile }) => {
    const id = variant ?? profile.id;
    const learner = learners.get(id) ?? createLearner({ prior: profile.step });
    learners.set(id, learner);
    return learner;
  });
  const forecasts = new Map<Sample, Forecast>();
  const parameters = new Map<Learner, LearnedParameters>();
  let refreshedMs = -Infinity;
  const judged: Judged[] = [];
  for (const { sample, ends } of inOrder(samples)) {
    const learner = byRow[sample.row]!;
    if (ends) {
      const said = forecasts.get(sample)!;
      judged.push(judge(sample, said, learner));
      forecasts.delete(sample);
      const { modelTtftMs: predictedTtftMs, modelTpotMs: predictedTpotMs } = said;
      learner.observe({ ...sample.outcome, startedAtMs: sample.sentMs, predictedTtftMs, predictedTpotMs });
      continue;
    }
    if (sample.sentMs >= refreshedMs + REFRESH_MS) {
      for (const each of learners.values()) parameters.set(each, each.parameters());
      refreshedMs = sample.sentMs;
    }
    forecasts.set(sample, forecast(sample.outcome, parameters.get(learner)!));
  }
  return judged;
}

function inOrder(samples: readonly Sample[]): { readonly sample: Sample; readonly ends: boolean }[] {
  const events = samples.flatMap((sample) => [
    { sample, ends: false, atMs: sample.sentMs },
    { sample, ends: true, atMs: sample.endMs },
  ]);
  return events.sort((a, b) => a.atMs - b.atMs);
}

function forecast({ worker, load, promptTokens, predictedCachedTokens }: Outcome, known: LearnedParameters): Forecast {
  const step = biased(known.step, known.workerBias[worker] ?? 1);
  const factors = known.regimes[regimeOf(load)];
  const prompt = { promptTokens, cachedTokens: predictedCachedTokens };
  const modelTtftMs = predictTtftMs(step, load, prompt, DEFAULT_ENGINE_SHAPE);
  const modelTpotMs = predictTpotMs(step, load, { promptTokens, outputTokens: known.meanOutputTokens });
  const waitMs = memoryWaitMs(step, load, { ...prompt, outputTokens: known.meanOutputTokens });
  return {
    modelTtftMs,
    modelTpotMs,
    ttftMs: (modelTtftMs + waitMs) * factors.ttftFactor,
    ttftTailMs: (modelTtftMs + waitMs) * factors.ttftTailFactor,
    tpotMs: modelTpotMs * factors.tpotFactor,
    tpotTailMs: modelTpotMs * factors.tpotTailFactor,
  };
}

function judge({ outcome, sentMs }: Sample, predicted: Forecast, learner: Learner): Judged {
  const { load, beside, outputTokens, worker } = outcome;
  const ttftMs = outcome.ttftMs!;
  const tpotMs = outputTokens < FEWEST_FOR_TPOT ? null : outcome.tpotMs;
  const known = learner.parameters();
  const step = biased(known.step, known.workerBias[worker] ?? 1);
  const hindsightMs = beside === undefined ? null : hindsightTpotMs(step, load, outcome, beside);
  return {
    sentMs,
    regime: regimeOf(load),
    ttftError: Math.abs(predicted.ttftMs - ttftMs) / ttftMs,
    ttftCovered: ttftMs <= predicted.ttftTailMs,
    tpotError: tpotMs === null ? null : Math.abs(predicted.tpotMs - tpotMs) / tpotMs,
    tpotCovered: tpotMs !== null && tpotMs <= predicted.tpotTailMs,
    tpotHindsightError: tpotMs === null || hindsightMs === null ? null : Math.abs(hindsightMs - tpotMs) / tpotMs,
  };
}

/** Errors and coverage of a part of a run, in percent. */
export interface Accuracy {
  readonly requests: number;
  readonly ttftMape: number | null;
  readonly ttftCoverage: number | null;
  readonly tpotMape: number | null;
  readonly tpotCoverage: number | null;
  readonly tpotHindsightMape: number | null;
}

export function accuracyOf(judged: readonly Judged[]): Accuracy {
  const decoded = judged.filter(({ tpotError }) => tpotError !== null);
  const percent = (values: readonly number[]): number | null =>
    values.length === 0 ? null : (100 * values.reduce((sum, value) => sum + value, 0)) / values.length;
  return {
    requests: judged.length,
    ttftMape: percent(judged.map(({ ttftError }) => ttftError)),
    ttftCoverage: percent(judged.map(({ ttftCovered }) => Number(ttftCovered))),
    tpotMape: percent(decoded.map(({ tpotError }) => tpotError!)),
    tpotCoverage: percent(decoded.map(({ tpotCovered }) => Number(tpotCovered))),
    tpotHindsightMape: percent(decoded.flatMap(({ tpotHindsightError }) => tpotHindsightError ?? [])),
  };
}

/** The same of each regime that was met. */
export function accuracyByRegime(judged: readonly Judged[]): [Regime, Accuracy][] {
  return REGIMES.map((regime): [Regime, Accuracy] => [
    regime,
    accuracyOf(judged.filter((each) => each.regime === regime)),
  ]).filter(([, { requests }]) => requests > 0);
}

const WINDOW_MS = 10_000;
/** So many windows in a row make it no chance. */
const STEADY_WINDOWS = 3;

/**
 * Seconds from `changeMs` until the mean errors of TTFT and TPOT are at most `most` percent, three windows of 10 s in a
 * row, by when requests were sent; null when they never are.
 */
export function secondsUntilBack(judged: readonly Judged[], changeMs: number, most: number): number | null {
  const windows = Map.groupBy(
    judged.filter(({ sentMs }) => sentMs >= changeMs),
    ({ sentMs }) => Math.floor((sentMs - changeMs) / WINDOW_MS),
  );
  const last = Math.max(...windows.keys());
  let steady = 0;
  for (let window = 0; window <= last; window++) {
    const { ttftMape, tpotMape } = accuracyOf(windows.get(window) ?? []);
    steady = (ttftMape ?? Infinity) <= most && (tpotMape ?? Infinity) <= most ? steady + 1 : 0;
    if (steady === STEADY_WINDOWS) return ((window + 1 - STEADY_WINDOWS) * WINDOW_MS) / 1000;
  }
  return null;
}
