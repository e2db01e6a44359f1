import type { RouteQuery } from '@sluice/model';

/** How a prediction misses: the outcome is `prediction x exp(sigma x Z)`, Z standard normal. */
export interface PredictionSpread {
  readonly ttftSigma: number;
  readonly tpotSigma: number;
}

/** Spread of a model whose mean absolute error is some 10 %, with room for what it does not know. */
export const DEFAULT_SPREAD: PredictionSpread = { ttftSigma: 0.25, tpotSigma: 0.15 };

/** What one candidate is expected to do to a request's service levels. Written again by every call. */
export interface SloTerms {
  /** Probability that the first token comes later than wanted; 0 without a TTFT SLO. */
  ttftViolation: number;
  /** That the mean time per output token is longer than wanted. */
  tpotViolation: number;
  /** That the answer ends after the client has given up. */
  deadlineViolation: number;
  /** Their price in milliseconds, {@link sloTerms}. */
  costMs: number;
}

export const createSloTerms = (): SloTerms => ({ ttftViolation: 0, tpotViolation: 0, deadlineViolation: 0, costMs: 0 });

/**
 * Expected violations of a request's service levels on one candidate, and their price. A violation costs as many
 * milliseconds as were allowed (for TPOT: of the whole answer), and the expected excess on top, so that where everything
 * is too late the less late is still better: `P(X > s) x s + E[max(0, X - s)]` for the log-normal X around the prediction.
 * What is null, absent or was not predicted costs nothing. Allocates nothing.
 * @param query limits as they remain at the time of the decision; what has been used up already is 0 or less
 * @param spread e.g. from the conformal tail factor f of the 90 % quantile: `sigma = ln(f) / 1.2816`
 */
export function sloTerms(
  query: RouteQuery,
  ttftMs: number,
  tpotMs: number,
  spread: PredictionSpread,
  out: SloTerms,
): SloTerms {
  const output = query.expectedOutputTokens;
  const { ttftSigma, tpotSigma } = spread;
  out.ttftViolation = violation(ttftMs, query.ttftSloMs, ttftSigma);
  out.tpotViolation = violation(tpotMs, query.tpotSloMs, tpotSigma);
  const e2eMs = ttftMs + output * tpotMs;
  // errors of the parts add up: the larger spread is the safer one for the whole
  const e2eSigma = Math.max(ttftSigma, tpotSigma);
  out.deadlineViolation = violation(e2eMs, query.deadlineMs, e2eSigma);
  out.costMs =
    price(out.ttftViolation, ttftMs, query.ttftSloMs, ttftSigma) +
    output * price(out.tpotViolation, tpotMs, query.tpotSloMs, tpotSigma) +
    price(out.deadlineViolation, e2eMs, query.deadlineMs, e2eSigma);
  return out;
}

const isLimit = (limit: number | null | undefined): limit is number => limit !== null && limit !== undefined;

/** P(X > limit). */
function violation(predicted: number, limit: number | null | undefined, sigma: number): number {
  if (!isLimit(limit) || !(predicted < Infinity)) return 0;
  if (limit <= 0) return 1;
  if (!(sigma > 0)) return predicted > limit ? 1 : 0;
  return normalCdf(Math.log(predicted / limit) / sigma);
}

function price(probability: number, predicted: number, limit: number | null | undefined, sigma: number): number {
  if (!isLimit(limit) || !(predicted < Infinity)) return 0;
  const allowed = Math.max(0, limit);
  return probability * allowed + excess(probability, predicted, limit, sigma);
}

/** E[max(0, X - limit)], as in Black and Scholes' price of a call. */
function excess(probability: number, predicted: number, limit: number, sigma: number): number {
  const mean = predicted * Math.exp((sigma * sigma) / 2);
  if (limit <= 0) return mean - limit;
  if (!(sigma > 0)) return Math.max(0, predicted - limit);
  const above = normalCdf(Math.log(predicted / limit) / sigma + sigma);
  return Math.max(0, mean * above - limit * probability);
}

/** Distribution function of the standard normal; absolute error below 1e-7 (Abramowitz and Stegun 7.1.26). */
function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const upper = 0.5 * poly * Math.exp(-x * x);
  return z >= 0 ? 1 - upper : upper;
}
