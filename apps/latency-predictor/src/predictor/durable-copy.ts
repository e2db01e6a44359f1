import type { Store } from '@sluice/store';
import { z } from 'zod';
import type { Predictor } from './predictor.ts';
import { variantKey } from './predictor.ts';

/** Store map: one field per variant. */
const KEY = 'latency-predictor:variants';
const DEBOUNCE_MS = 2000;

const storedSchema = z.object({
  pool: z.string(),
  variant: z.string(),
  updatedAtMs: z.number().nullable(),
  state: z.unknown(),
});

export interface DurableCopyLogger {
  info(message: string): void;
  warn(message: string): void;
}

/**
 * Keeps what the predictor learned in the store: written at most every 2 s, read at the start, or when the store is first
 * reached. While the store is away changes wait; nothing else depends on it.
 */
export class DurableCopy {
  /** Whether the stored copy was read; nothing is written before, so that a cold start cannot overwrite it. */
  loaded = false;
  readonly #store: Store;
  readonly #predictor: Predictor;
  readonly #logger: DurableCopyLogger;
  readonly #dirty = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #endFollowing: () => void = () => undefined;

  constructor(store: Store, predictor: Predictor, logger: DurableCopyLogger) {
    this.#store = store;
    this.#predictor = predictor;
    this.#logger = logger;
  }

  /** Reads the copy, and follows the store from then on. */
  async start(): Promise<void> {
    this.#endFollowing = this.#store.onState((state) => {
      if (state === 'connected') this.#schedule(0);
    });
    await this.#load();
  }

  /** Writes what is not written yet. */
  async stop(): Promise<void> {
    this.#endFollowing();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#flush();
  }

  /** A variant changed. */
  changed(pool: string, variant: string): void {
    this.#dirty.add(variantKey(pool, variant));
    if (this.#timer === null) this.#schedule(DEBOUNCE_MS);
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#flush();
    }, delayMs);
    this.#timer.unref();
  }

  #flush(): Promise<void> {
    // One write after the other, so that an older one cannot land last.
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    if (!this.loaded && !(await this.#load())) return;
    if (this.#dirty.size === 0) return;
    const keys = [...this.#dirty];
    this.#dirty.clear();
    const encoder = new TextEncoder();
    const set = keys.flatMap((key): [string, Uint8Array][] => {
      const stored = this.#predictor.stored(key);
      return stored === null ? [] : [[key, encoder.encode(JSON.stringify(stored))]];
    });
    try {
      await this.#store.writeMap(KEY, { set });
    } catch (error) {
      // Written with the next change, or when the store is back.
      for (const key of keys) this.#dirty.add(key);
      this.#logger.warn(`learned parameters not stored: ${String(error)}`);
    }
  }

  async #load(): Promise<boolean> {
    const decoder = new TextDecoder();
    let restored = 0;
    try {
      for await (const [key, value] of this.#store.readMap(KEY)) {
        const stored = parseStored(decoder.decode(value));
        if (stored !== null && this.#predictor.restore(stored)) restored++;
        else this.#logger.warn(`stored parameters of ${key} cannot be used; the variant learns anew`);
      }
    } catch (error) {
      this.#logger.warn(`starting without stored parameters: ${String(error)}`);
      return false;
    }
    this.loaded = true;
    this.#logger.info(`parameters of ${restored} variants restored`);
    return true;
  }
}

function parseStored(text: string): z.output<typeof storedSchema> | null {
  try {
    return storedSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
