const REMEMBERED = 8;

/**
 * The last sequence number taken from an engine and when the engine made the batches before it. The time of a batch
 * (microseconds, as a double) is what tells two engine processes apart that use the same sequence numbers.
 */
export class SeqHistory {
  readonly #times = new Float64Array(REMEMBERED);
  #remembered = 0;
  #last = -1;
  /** The engine's clock at the last batch of the process before. */
  #floorMs = 0;

  /** -1: none yet. */
  get last(): number {
    return this.#last;
  }

  get next(): number {
    return this.#last + 1;
  }

  /** The engine's clock at the last batch taken, of the process before when there is none yet; 0 when never. */
  get lastTimeMs(): number {
    return this.#remembered === 0 ? this.#floorMs : this.#times[this.#last % REMEMBERED]!;
  }

  /** The oldest batch whose time is known, or the one that comes next. */
  get checkFrom(): number {
    return this.#last + 1 - this.#remembered;
  }

  push(seq: number, timeMs: number): void {
    this.#remembered = seq === this.next ? Math.min(REMEMBERED, this.#remembered + 1) : 1;
    this.#last = seq;
    this.#times[seq % REMEMBERED] = timeMs;
  }

  /** A batch was taken without its time. */
  skip(seq: number): void {
    this.#floorMs = this.lastTimeMs;
    this.#last = seq;
    this.#remembered = 0;
  }

  /** Whether a batch is another than the one that was taken under its number; false when that is not remembered. */
  contradicts(seq: number, timeMs: number): boolean {
    return this.#remembers(seq) && this.#times[seq % REMEMBERED] !== timeMs;
  }

  /** Whether a batch is the one that was taken under its number; false when that is not remembered. */
  confirms(seq: number, timeMs: number): boolean {
    return this.#remembers(seq) && this.#times[seq % REMEMBERED] === timeMs;
  }

  /** Whether a batch was made before the last one taken: it is late, or the engine's clock was set back. */
  isStale(timeMs: number): boolean {
    return this.#remembered === 0 ? timeMs <= this.#floorMs : timeMs < this.lastTimeMs;
  }

  /** Another process: nothing was taken from it. */
  reset(): void {
    this.#floorMs = this.lastTimeMs;
    this.#last = -1;
    this.#remembered = 0;
  }

  #remembers(seq: number): boolean {
    return seq <= this.#last && seq >= this.checkFrom;
  }
}
