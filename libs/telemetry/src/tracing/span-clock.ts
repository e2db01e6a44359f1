/** What is longer ago than the start of any process: milliseconds since the Unix epoch, and not of performance.now(). */
const EPOCH_FROM_MS = 1e11;
/** Date.now() has no parts of a millisecond. */
const TICK_MS = 1;

/**
 * Times of spans: to the microsecond within a process, and by the wall clock across processes. performance.now() alone
 * would drift away from clocks that are put right while a process lives for weeks.
 */
export class SpanClock {
  #offsetMs: number;
  readonly #wall: () => number;
  readonly #steady: () => number;

  constructor(wall: () => number = Date.now, steady: () => number = () => performance.now()) {
    this.#wall = wall;
    this.#steady = steady;
    this.#offsetMs = wall() + TICK_MS / 2 - steady();
  }

  /** Milliseconds since the Unix epoch. */
  now(): number {
    const steadyMs = this.#steady();
    const offsetMs = this.#wall() + TICK_MS / 2 - steadyMs;
    if (Math.abs(offsetMs - this.#offsetMs) > TICK_MS) this.#offsetMs = offsetMs;
    return steadyMs + this.#offsetMs;
  }

  /** The same for a time of performance.now(), or since the epoch, which stays as it is. */
  at(ms: number): number {
    return ms < EPOCH_FROM_MS ? ms + this.#offsetMs : ms;
  }
}
