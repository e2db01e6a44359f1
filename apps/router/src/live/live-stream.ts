import type { ServerResponse } from 'node:http';
import type { LiveMessage } from '@sluice/contracts';
import type { Router } from '../router.ts';
import { LiveFeed } from './live-feed.ts';

interface Listener {
  readonly response: ServerResponse;
  /** It was not told everything: it needs a snapshot. */
  behind: boolean;
}

const TICK_MS = 1000;
const MOST_LISTENERS = 32;
/** A listener that has so much unread is told nothing until it has read. */
const MOST_UNREAD_BYTES = 1 << 20;

/**
 * Sends the live view to everybody who listens, as server-sent events. What is sent is computed and written as text once
 * for all; without listeners nothing runs.
 */
export class LiveStream {
  readonly #feed: LiveFeed;
  readonly #listeners = new Set<Listener>();
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(router: Router, tickMs = TICK_MS) {
    this.#feed = new LiveFeed(router, tickMs);
  }

  /** Whether another may listen. */
  get hasRoom(): boolean {
    return !this.#closed && this.#listeners.size < MOST_LISTENERS;
  }

  /** Answers with the stream until the other side leaves or {@link close}. To be asked for room before. */
  add(response: ServerResponse): void {
    const listener: Listener = { response, behind: false };
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.once('close', () => this.#remove(listener));
    if (this.#timer === null) {
      this.#feed.restart();
      this.#timer = setInterval(() => this.#tick(), this.#feed.tickMs);
    }
    this.#listeners.add(listener);
    response.write(eventOf(this.#feed.snapshot()));
  }

  /** Ends every stream: a server waits for its connections when it closes. */
  close(): void {
    this.#closed = true;
    for (const listener of [...this.#listeners]) {
      listener.response.end();
      this.#remove(listener);
    }
  }

  #tick(): void {
    const tick = this.#feed.tick();
    const text = tick === null ? null : eventOf(tick);
    let snapshot: string | null = null;
    for (const listener of this.#listeners) {
      if (listener.response.writableLength > MOST_UNREAD_BYTES) {
        listener.behind = true;
      } else if (listener.behind || text === null) {
        listener.behind = false;
        snapshot ??= eventOf(this.#feed.snapshot());
        listener.response.write(snapshot);
      } else listener.response.write(text);
    }
  }

  #remove(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}

const eventOf = (message: LiveMessage): string => `event: ${message.kind}\ndata: ${JSON.stringify(message)}\n\n`;
