/** Less time than this says nothing. */
const LEAST_MS = 500;

/** Amount per millisecond of something that comes in parts, recent times weighing more. */
export class DecayingRate {
  private readonly halfLifeMs: number;
  private atMs = -Infinity;
  private amount = 0;
  private countedMs = 0;

  /** @param halfLifeMs what happened so long ago counts half */
  constructor(halfLifeMs: number) {
    this.halfLifeMs = halfLifeMs;
  }

  /** Time has passed since the last call; where it does not `count`, nothing could come. */
  pass(nowMs: number, counts: boolean): void {
    const passedMs = nowMs - this.atMs;
    this.atMs = nowMs;
    if (!counts || !(passedMs > 0 && passedMs < Infinity)) return;
    const kept = 2 ** (-passedMs / this.halfLifeMs);
    this.amount *= kept;
    this.countedMs = this.countedMs * kept + ((1 - kept) * this.halfLifeMs) / Math.LN2;
  }

  add(amount: number): void {
    this.amount += amount;
  }

  /** Takes in what another one of the same half-life counted of other parts, at its own time or before. */
  merge(other: DecayingRate): void {
    const atMs = Math.max(this.atMs, other.atMs);
    this.pass(atMs, true);
    other.pass(atMs, true);
    this.amount += other.amount;
    this.countedMs = Math.max(this.countedMs, other.countedMs);
  }

  /** Null while there is too little to go by. */
  perMs(): number | null {
    return this.countedMs >= LEAST_MS && this.amount > 0 ? this.amount / this.countedMs : null;
  }
}
