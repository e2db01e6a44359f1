/** What waits in a {@link ConnectionLine}. */
export interface Waiting {
  /** A connection is free; {@link ConnectionLine.leave} says when it is again, which may be before this returns. */
  start(): void;
}

/**
 * Requests of one engine that wait until one of its connections is free, first come first served. undici has such a line
 * too, but nobody can leave it: it keeps the bodies of requests whose clients are gone, and opens a connection for each
 * only to close it.
 */
export class ConnectionLine {
  readonly #waiting = new Set<Waiting>();
  #free: number;
  #starting = false;

  constructor(connections: number) {
    this.#free = connections;
  }

  /** Requests that wait. */
  get length(): number {
    return this.#waiting.size;
  }

  /** Starts `request` when it is its turn, at once if a connection is free. */
  enter(request: Waiting): void {
    this.#waiting.add(request);
    this.#startNext();
  }

  /** Takes `request` out of the line; nothing happens when it was started. */
  quit(request: Waiting): void {
    this.#waiting.delete(request);
  }

  /** A request that was started needs its connection no more. */
  leave(): void {
    this.#free++;
    this.#startNext();
  }

  /** A request may be over before its start returns: a loop, so that a thousand of them do not nest. */
  #startNext(): void {
    if (this.#starting) return;
    this.#starting = true;
    for (const request of this.#waiting) {
      if (this.#free === 0) break;
      this.#free--;
      this.#waiting.delete(request);
      request.start();
    }
    this.#starting = false;
  }
}
