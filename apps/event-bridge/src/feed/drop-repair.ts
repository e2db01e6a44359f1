export interface DropRepairOptions {
  /** Sends everything that is known of a worker anew. */
  readonly resend: (worker: string) => void;
  readonly isConnected: () => boolean;
  /** Milliseconds of any clock that only goes on. */
  readonly now: () => number;
  /** Before a worker is sent anew again whose last repair was dropped too; doubles up to 64 times. Default 1000. */
  readonly pauseMs?: number;
}

interface Loss {
  /** Receivers miss batches and were not sent anything since. */
  owed: boolean;
  /** Repairs in a row that were dropped too. */
  attempts: number;
  nextMs: number;
  timer: NodeJS.Timeout | null;
}

const MOST_DOUBLINGS = 6;

/**
 * Sends a worker anew after the bus gave up a batch of it: at once, or when the bus is connected again. A repair that is
 * given up too (the server takes no message of its size, the queue is full) is tried again with growing pauses: it
 * is the largest thing that can be sent, and without them it would follow itself for ever.
 */
export class DropRepair {
  readonly #options: DropRepairOptions;
  readonly #pauseMs: number;
  readonly #losses = new Map<string, Loss>();

  constructor(options: DropRepairOptions) {
    this.#options = options;
    this.#pauseMs = options.pauseMs ?? 1000;
  }

  /** The bus gave up a batch of the worker. */
  onDrop(worker: string): void {
    const loss = this.#losses.get(worker) ?? { owed: false, attempts: 0, nextMs: 0, timer: null };
    this.#losses.set(worker, loss);
    // the last repair got through and was followed by as long a time without a loss: this is another one
    if (!loss.owed && this.#options.now() > loss.nextMs + this.#pause(loss.attempts)) loss.attempts = 0;
    loss.owed = true;
    this.#repair(worker, loss);
  }

  /** The bus is connected, maybe to another server than before. */
  onConnected(): void {
    for (const [worker, loss] of this.#losses) {
      loss.attempts = 0;
      loss.nextMs = 0;
      if (loss.owed) this.#repair(worker, loss);
    }
  }

  forget(worker: string): void {
    const timer = this.#losses.get(worker)?.timer;
    if (timer) clearTimeout(timer);
    this.#losses.delete(worker);
  }

  stop(): void {
    for (const worker of [...this.#losses.keys()]) this.forget(worker);
  }

  #repair(worker: string, loss: Loss): void {
    if (!this.#options.isConnected()) return;
    const waitMs = loss.attempts === 0 ? 0 : loss.nextMs - this.#options.now();
    if (waitMs > 0) {
      loss.timer ??= setTimeout(() => {
        loss.timer = null;
        if (loss.owed) this.#repair(worker, loss);
      }, waitMs).unref();
      return;
    }
    loss.owed = false;
    loss.nextMs = this.#options.now() + this.#pause(++loss.attempts);
    this.#options.resend(worker);
  }

  #pause(attempts: number): number {
    return this.#pauseMs * 2 ** Math.min(MOST_DOUBLINGS, Math.max(0, attempts - 1));
  }
}
