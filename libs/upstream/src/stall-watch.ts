import type { ServerResponse } from 'node:http';

/** Looks per limit: a client is given up at most a quarter of the limit late. */
const LOOKS = 4;

/**
 * Notices a client that accepts nothing of what waits for it. One that reads slowly is none: whatever it takes between two
 * looks starts the time anew. What the kernel took counts as accepted, and it takes more only when a good part of its send
 * buffer is free again: a client that reads less than that within the limit looks like one that has stopped.
 */
export class StallWatch {
  readonly #client: ServerResponse;
  readonly #limitMs: number;
  readonly #onStall: () => void;
  #timer: NodeJS.Timeout | null = null;
  #waitingBytes = 0;
  /** Looks in a row at which nothing had been taken. */
  #idleLooks = 0;

  constructor(client: ServerResponse, limitMs: number, onStall: () => void) {
    this.#client = client;
    this.#limitMs = limitMs;
    this.#onStall = onStall;
  }

  /** Does nothing while it watches already. */
  start(): void {
    if (this.#timer !== null) return;
    this.#waitingBytes = this.#client.writableLength;
    this.#idleLooks = 0;
    this.#timer = setInterval(() => this.#look(), this.#limitMs / LOOKS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    const waitingBytes = this.#client.writableLength;
    this.#idleLooks = waitingBytes < this.#waitingBytes ? 0 : this.#idleLooks + 1;
    this.#waitingBytes = waitingBytes;
    if (this.#idleLooks < LOOKS) return;
    this.stop();
    this.#onStall();
  }
}
