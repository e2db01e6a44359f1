import type { SimulatedRequest } from '@sluice/twin';

/** How the future after a moment is made up. */
export type Future = 'other-prompts' | 'alike-moment';

/**
 * Relative error, |predicted - measured| / measured, of the best that can be said of one request before a future is drawn:
 * for each outcome the median of the others weighted by 1 / measured, which is least in that error.
 * @param outcomes of the same request in at least two futures, all above 0
 */
export function leastErrors(outcomes: readonly number[]): number[] {
  return outcomes.map((measured, own) => {
    const others = outcomes.filter((_, i) => i !== own).toSorted((a, b) => a - b);
    const half = others.reduce((sum, each) => sum + 1 / each, 0) / 2;
    let below = 0;
    const said = others.find((each) => (below += 1 / each) >= half)!;
    return Math.abs(said - measured) / measured;
  });
}

/** The requests after `cutMs`, for `lengthMs`, in another order, each at the time of another: when they come is known, which is not. */
export function otherPrompts(
  requests: readonly SimulatedRequest[],
  cutMs: number,
  lengthMs: number,
  rng: () => number,
): SimulatedRequest[] {
  const after = between(requests, cutMs, cutMs + lengthMs);
  const order = [...after.keys()];
  for (let i = order.length - 1; i > 0; i--) {
    const other = Math.floor(rng() * (i + 1));
    [order[i], order[other]] = [order[other]!, order[i]!];
  }
  return after.map(({ arrivalMs }, i) => ({ ...after[order[i]!]!, arrivalMs }));
}

/** Looks back, in ms, by which moments are compared. */
const LOOKS_BACK_MS = [500, 2000] as const;
const GRID_MS = 500;
/** Nearer ones would share what came before. */
const NEAREST_MS = 5000;

/** What followed, for `lengthMs`, the `count` moments elsewhere at which most nearly as many requests had come of late as at `cutMs`. */
export function afterAlikeMoments(
  requests: readonly SimulatedRequest[],
  cutMs: number,
  lengthMs: number,
  count: number,
): SimulatedRequest[][] {
  // square roots, because counts scatter by theirs
  const look = (atMs: number): number[] =>
    LOOKS_BACK_MS.map((backMs) => Math.sqrt(between(requests, atMs - backMs, atMs).length));
  const here = look(cutMs);
  const lastMs = requests.at(-1)!.arrivalMs - lengthMs;
  const moments: { readonly atMs: number; readonly distance: number }[] = [];
  for (let atMs = NEAREST_MS; atMs <= lastMs; atMs += GRID_MS) {
    if (Math.abs(atMs - cutMs) < NEAREST_MS) continue;
    moments.push({ atMs, distance: look(atMs).reduce((sum, each, i) => sum + Math.abs(each - here[i]!), 0) });
  }
  moments.sort((a, b) => a.distance - b.distance);
  return moments
    .slice(0, count)
    .map(({ atMs }) =>
      between(requests, atMs, atMs + lengthMs).map((each) => ({ ...each, arrivalMs: cutMs + each.arrivalMs - atMs })),
    );
}

/** Requests that arrive after `fromMs`, up to `toMs`. */
export const between = (requests: readonly SimulatedRequest[], fromMs: number, toMs: number): SimulatedRequest[] =>
  requests.filter(({ arrivalMs }) => arrivalMs > fromMs && arrivalMs <= toMs);
