import type { LiveLatency, LivePoolLatency } from '@sluice/contracts';
import { LatencyHistogram } from './latency-histogram.ts';

/** What came of one attempt; a time that is not known is null. */
export interface EndedAttempt {
  readonly completed: boolean;
  readonly ttftMs: number | null;
  readonly tpotMs: number | null;
  readonly e2eMs: number;
}

export const SLOT_MS = 5000;
/** A quarter of an hour. */
export const SLOTS = 180;
/** Slots of the windows that are summed up. */
const WINDOWS = [12, 60, SLOTS] as const;
/** Stands for every pool. */
const ALL_POOLS = '';

class Slot {
  /** Time over {@link SLOT_MS}, rounded down; -1: unused. */
  number = -1;
  completed = 0;
  failed = 0;
  readonly ttft = new LatencyHistogram();
  readonly tpot = new LatencyHistogram();
  readonly e2e = new LatencyHistogram();

  restart(number: number): void {
    this.number = number;
    this.completed = 0;
    this.failed = 0;
    this.ttft.clear();
    this.tpot.clear();
    this.e2e.clear();
  }

  add({ completed, ttftMs, tpotMs, e2eMs }: EndedAttempt): void {
    if (!completed) {
      this.failed++;
      return;
    }
    this.completed++;
    if (ttftMs !== null) this.ttft.add(ttftMs);
    if (tpotMs !== null) this.tpot.add(tpotMs);
    this.e2e.add(e2eMs);
  }

  merge(other: Slot): void {
    this.completed += other.completed;
    this.failed += other.failed;
    this.ttft.merge(other.ttft);
    this.tpot.merge(other.tpot);
    this.e2e.merge(other.e2e);
  }

  view(startMs: number, durationMs: number): LiveLatency {
    return {
      startMs,
      durationMs,
      completed: this.completed,
      failed: this.failed,
      ttftMs: this.ttft.quantiles(),
      tpotMs: this.tpot.quantiles(),
      e2eMs: this.e2e.quantiles(),
    };
  }
}

/** Latencies of the last quarter of an hour by pool, in slots of five seconds. One writer: the settling of requests. */
export class RecentLatency {
  readonly #pools = new Map<string, readonly Slot[]>();
  readonly #sum = new Slot();

  constructor() {
    this.#slotsOf(ALL_POOLS);
  }

  add(pool: string, attempt: EndedAttempt, nowMs: number): void {
    const number = Math.floor(nowMs / SLOT_MS);
    for (const name of [ALL_POOLS, pool]) {
      const slot = this.#slotsOf(name)[number % SLOTS]!;
      if (slot.number !== number) slot.restart(number);
      slot.add(attempt);
    }
  }

  /**
   * Every pool that had a request, and all together, first.
   * @param sinceMs slots that were closed before are left out
   */
  view(sinceMs: number, nowMs: number): LivePoolLatency[] {
    const current = Math.floor(nowMs / SLOT_MS);
    const first = Math.max(current - SLOTS + 1, Math.floor(sinceMs / SLOT_MS));
    return [...this.#pools].map(([pool, slots]) => ({
      pool,
      slots: Array.from({ length: Math.max(0, current - first) }, (_, i) => viewOf(slots, first + i)),
      windows: WINDOWS.map((length) => this.#window(slots, current, length)),
    }));
  }

  /** The last `length` slots, the one that is being filled included. */
  #window(slots: readonly Slot[], current: number, length: number): LiveLatency {
    this.#sum.restart(current);
    for (let number = Math.max(0, current - length + 1); number <= current; number++) {
      const slot = slots[number % SLOTS]!;
      if (slot.number === number) this.#sum.merge(slot);
    }
    return this.#sum.view((current - length + 1) * SLOT_MS, length * SLOT_MS);
  }

  #slotsOf(pool: string): readonly Slot[] {
    let slots = this.#pools.get(pool);
    if (slots === undefined) {
      slots = Array.from({ length: SLOTS }, () => new Slot());
      this.#pools.set(pool, slots);
    }
    return slots;
  }
}

const EMPTY = new Slot();

function viewOf(slots: readonly Slot[], number: number): LiveLatency {
  const slot = slots[number % SLOTS]!;
  return (slot.number === number ? slot : EMPTY).view(number * SLOT_MS, SLOT_MS);
}
