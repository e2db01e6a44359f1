import type { LiveLatency, LivePoolLatency, LiveQuantiles } from '@sluice/contracts';
import type { Latency } from './latency.ts';

/**
 * Latencies of several routers as one. Counts add up. Quantiles do not: shown is, of each, that of the router that has the
 * largest, and that of all requests is no larger.
 */
export class LatencyUnion implements Latency {
  readonly #told: readonly Latency[];

  constructor(told: readonly Latency[]) {
    this.#told = told;
  }

  get pools(): readonly string[] {
    return [...new Set(this.#told.flatMap(({ pools }) => pools))];
  }

  of(pool: string): LivePoolLatency {
    const told = this.#told.map((each) => each.of(pool)).filter(({ slots }) => slots.length > 0);
    // A slot counts when all have closed it: until then it is a part.
    const lastMs = Math.min(...told.map(({ slots }) => slots.at(-1)!.startMs));
    const slots = new Map<number, LiveLatency>();
    for (const slot of told.flatMap((each) => each.slots)) {
      if (slot.startMs > lastMs) continue;
      const before = slots.get(slot.startMs);
      slots.set(slot.startMs, before === undefined ? slot : together(before, slot));
    }
    const windows =
      told[0]?.windows.map((_, i) => told.flatMap((each) => each.windows[i] ?? []).reduce(together)) ?? [];
    return { pool, slots: [...slots.values()].sort((a, b) => a.startMs - b.startMs), windows };
  }
}

const together = (a: LiveLatency, b: LiveLatency): LiveLatency => ({
  startMs: Math.min(a.startMs, b.startMs),
  durationMs: Math.max(a.durationMs, b.durationMs),
  completed: a.completed + b.completed,
  failed: a.failed + b.failed,
  ttftMs: largest(a.ttftMs, b.ttftMs),
  tpotMs: largest(a.tpotMs, b.tpotMs),
  e2eMs: largest(a.e2eMs, b.e2eMs),
});

function largest(a: LiveQuantiles, b: LiveQuantiles): LiveQuantiles {
  if (a === null || b === null) return a ?? b;
  return [Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}
