import { ask } from './admin.ts';
import { EventStreamParser } from './event-stream.ts';

export type Connection = 'connecting' | 'live' | 'lost';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5000;
/** Ticks come every second. */
const SILENT_MS = 6000;

/**
 * Reads a live stream and begins again whenever it ends. By fetch, not EventSource: it may need a token in a
 * header.
 */
export class LiveConnection {
  readonly #path: string;
  readonly #onData: (data: string) => void;
  readonly #onState: (state: Connection) => void;
  #abort: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #open = false;

  constructor(path: string, onData: (data: string) => void, onState: (state: Connection) => void) {
    this.#path = path;
    this.#onData = onData;
    this.#onState = onState;
  }

  open(): void {
    this.close();
    this.#open = true;
    void this.#read();
  }

  close(): void {
    this.#open = false;
    clearTimeout(this.#timer);
    this.#abort?.abort();
  }

  async #read(): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    let silence: ReturnType<typeof setTimeout> | undefined;
    const heard = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(), SILENT_MS);
    };
    this.#onState('connecting');
    try {
      heard();
      const response = await ask(this.#path, { signal: abort.signal });
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      const parser = new EventStreamParser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        heard();
        for (const data of parser.push(value)) {
          this.#onData(data);
          this.#pauseMs = FIRST_PAUSE_MS;
          this.#onState('live');
        }
      }
    } catch {
      // However it ended: the next attempt says whether it can be had.
    }
    clearTimeout(silence);
    if (!this.#open || this.#abort !== abort) return;
    this.#onState('lost');
    this.#timer = setTimeout(() => void this.#read(), this.#pauseMs);
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
  }
}
