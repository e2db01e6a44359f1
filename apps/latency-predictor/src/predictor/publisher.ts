import type { Bus } from '@sluice/bus';
import { latencyParameters } from '@sluice/contracts';
import type { Predictor } from './predictor.ts';

const TICK_MS = 1000;
const LONGEST_SILENCE_MS = 5000;

/**
 * Publishes the parameters in force: once at the start, within a second of a change, and every 5 s for routers that
 * joined late. A version is sent again as long as nothing changed.
 */
export class Publisher {
  version = 0;
  readonly #bus: Bus;
  readonly #predictor: Predictor;
  readonly #now: () => number;
  readonly #onPublished: () => void;
  #revision = -1;
  #publishedAtMs = -Infinity;
  #timer: NodeJS.Timeout | null = null;

  constructor(bus: Bus, predictor: Predictor, now: () => number, onPublished: () => void) {
    this.#bus = bus;
    this.#predictor = predictor;
    this.#now = now;
    this.#onPublished = onPublished;
  }

  start(): void {
    this.tick();
    this.#timer = setInterval(() => this.tick(), TICK_MS);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Publishes when something changed or routers have not heard for long. */
  tick(): void {
    const nowMs = this.#now();
    const { revision } = this.#predictor;
    const changed = revision !== this.#revision;
    if (!changed && nowMs - this.#publishedAtMs < LONGEST_SILENCE_MS) return;
    // Versions follow the clock, so that one published after a restart is newer than those before it.
    if (changed) this.version = Math.max(this.version + 1, Math.floor(nowMs));
    this.#revision = revision;
    this.#publishedAtMs = nowMs;
    this.#bus.publish(latencyParameters, { version: this.version, variants: this.#predictor.parameters() });
    this.#onPublished();
  }
}
