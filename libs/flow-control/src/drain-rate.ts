/** What happened so long ago counts half. */
const HALF_LIFE_MS = 5000;
/** Less time with a queue than this says nothing. */
const LEAST_BUSY_MS = 500;

/** How fast a queue drains: cost of what left it over the time that there was one, recent times weighing more. */
export class DrainRate {
  private atMs = -Infinity;
  private cost = 0;
  private busyMs = 0;

  /** Time has passed, during all of which something was held (`busy`) or nothing. */
  pass(nowMs: number, busy: boolean): void {
    const passedMs = nowMs - this.atMs;
    this.atMs = nowMs;
    if (!busy || !(passedMs > 0 && passedMs < Infinity)) return;
    const kept = 2 ** (-passedMs / HALF_LIFE_MS);
    this.cost *= kept;
    this.busyMs = this.busyMs * kept + ((1 - kept) * HALF_LIFE_MS) / Math.LN2;
  }

  /** A request left the queue for a worker. */
  left(cost: number): void {
    this.cost += cost;
  }

  /** Cost per millisecond; null while there is too little to go by. */
  perMs(): number | null {
    return this.busyMs >= LEAST_BUSY_MS && this.cost > 0 ? this.cost / this.busyMs : null;
  }
}
