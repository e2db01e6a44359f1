import type { LiveLatency, LivePoolLatency } from '@sluice/contracts';

/** As many slots as the router keeps. */
const MOST_SLOTS = 180;

/** Latencies over time by pool; an empty name stands for all pools. */
export interface Latency {
  readonly pools: readonly string[];
  of(pool: string): LivePoolLatency;
}

/** Latencies as the stream of one router tells them. */
export class Latencies implements Latency {
  #pools = new Map<string, LivePoolLatency>();

  load(pools: readonly LivePoolLatency[]): void {
    this.#pools = new Map(pools.map((each) => [each.pool, each]));
  }

  apply(pools: readonly LivePoolLatency[]): void {
    for (const { pool, slots, windows } of pools) {
      const before = this.#pools.get(pool)?.slots ?? [];
      const lastMs = before.at(-1)?.startMs ?? -Infinity;
      const fresh = slots.filter(({ startMs }) => startMs > lastMs);
      this.#pools.set(pool, { pool, slots: [...before, ...fresh].slice(-MOST_SLOTS), windows });
    }
  }

  get pools(): string[] {
    return [...this.#pools.keys()].filter((pool) => pool !== '');
  }

  of(pool: string): LivePoolLatency {
    return this.#pools.get(pool) ?? { pool, slots: [], windows: [] };
  }
}

/** Slots from the first one that says something, but no fewer than `least`: before that the router may not have run. */
export function sinceFirst(slots: readonly LiveLatency[], least: number): readonly LiveLatency[] {
  const first = slots.findIndex(({ completed, failed }) => completed + failed > 0);
  return first < 0 ? slots.slice(-least) : slots.slice(Math.min(first, Math.max(0, slots.length - least)));
}

/** Requests a second over the last closed slots, or null before there is one. */
export function ratePerS(slots: readonly LiveLatency[], last = 3): number | null {
  const recent = slots.slice(-last);
  const ms = recent.reduce((sum, { durationMs }) => sum + durationMs, 0);
  return ms === 0 ? null : (1000 * recent.reduce((sum, { completed, failed }) => sum + completed + failed, 0)) / ms;
}
