import { decodeKvBatch, openKvEventStream } from '@sluice/engine-wire';
import type { VllmEngine } from './kit.ts';

interface Seen {
  /** When the engine made the batch, and when it got here; milliseconds since the Unix epoch. */
  readonly madeAtMs: number;
  readonly arrivedAtMs: number;
}

/**
 * When each engine's batches of KV events were made and when they arrived, by subscriptions of its own: tells whether a
 * router that did not know something could have known it.
 */
export class EventClock {
  readonly #seen = new Map<string, Seen[]>();
  readonly #streams: ReturnType<typeof openKvEventStream>[];

  constructor(engines: readonly VllmEngine[]) {
    this.#streams = engines.map(({ id, events }) => {
      const seen: Seen[] = [];
      this.#seen.set(id, seen);
      return openKvEventStream({
        source: events,
        onMessage: (_seq, payload) => seen.push({ madeAtMs: decodeKvBatch(payload).timeMs, arrivedAtMs: Date.now() }),
        onError: () => {},
      });
    });
  }

  /** Batches that the engine had made by `atMs` and that had not left it by then; the longest delay among them. */
  underWay(engine: string, atMs: number): { readonly batches: number; readonly longestDelayMs: number } {
    const late = (this.#seen.get(engine) ?? []).filter((one) => one.madeAtMs <= atMs && one.arrivedAtMs >= atMs);
    return { batches: late.length, longestDelayMs: Math.max(0, ...late.map((one) => one.arrivedAtMs - one.madeAtMs)) };
  }

  async close(): Promise<void> {
    await Promise.all(this.#streams.map((stream) => stream.close()));
  }
}
