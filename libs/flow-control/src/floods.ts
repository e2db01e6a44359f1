import type { Flow } from './flow.ts';
import type { Flows } from './flows.ts';
import { workersFor } from './reserved-workers.ts';

/** A tenant that has flooded does so until nothing of it was held for long in this time. */
const FLOOD_OVER_MS = 10_000;
/**
 * A worker is not given back sooner. What others have cached there, and nowhere else, they then read behind the flood's
 * prompts until it is evicted: at every return some of their requests are slow.
 */
const GIVEN_BACK_AFTER_MS = 1_800_000;

/**
 * Which tenants flood, and how many workers are kept from them. What an engine has taken is out of our hands: behind
 * a long prompt, in steps full of others' decodes and with their prefixes evicted nobody is as fast as alone. So those
 * who stay within their share are given workers of their own, as many as they need.
 */
export class Floods<T> {
  private readonly flows: Flows<T>;

  constructor(flows: Flows<T>) {
    this.flows = flows;
  }

  /** Whether the flow wants more than it gets and has its share: its requests are held for long, and it is not modest. */
  isFlooding(flow: Flow<T>, nowMs: number): boolean {
    const oldest = flow.held[0];
    const heldMs = oldest === undefined ? 0 : nowMs - oldest.request.arrivedAtMs;
    if (oldest !== undefined && heldMs >= this.flows.options.floodMs) flow.floodedAtMs = nowMs;
    return nowMs - flow.floodedAtMs < FLOOD_OVER_MS && !this.flows.isModest(flow);
  }

  /**
   * How many of `workers` are kept from the requests of `flow`, which floods: as many as the flows of higher bands, and those
   * of its own that do not flood, need so that few of their requests find all of them at a prompt; for its own band at
   * most what these flows have by weight. One worker at a time is given back.
   */
  reservedFrom(flow: Flow<T>, workers: number, nowMs: number): number {
    const { reserveLoss, reserveWorkers } = this.flows.options;
    if (workers < 2 || reserveWorkers === 0) return 0;
    const others = this.othersThan(flow, nowMs);
    const share = others.higher ? reserveWorkers : Math.min(reserveWorkers, others.weightShare);
    const most = others.pending > 0 ? Math.max(1, Math.floor(share * workers)) : 0;
    const needed = Math.min(most, workersFor(others.pending, reserveLoss));
    if (needed === 0) flow.reservedWorkers = 0;
    else if (needed >= flow.reservedWorkers || nowMs >= flow.reservedUntilMs) {
      flow.reservedWorkers = Math.max(needed, flow.reservedWorkers - 1);
      flow.reservedUntilMs = nowMs + GIVEN_BACK_AFTER_MS;
    }
    return flow.reservedWorkers;
  }

  /** Those that workers are kept for: requests of theirs that wait for a first token at one time, and their weight. */
  private othersThan(flow: Flow<T>, nowMs: number) {
    const own = flow.band.index;
    let [pending, weight, floodWeight, higher] = [0, 0, 0, false];
    for (let band = own; band < this.flows.bands.length; band++) {
      for (const other of this.flows.ofBand(band)) {
        if (other.lastArrivalMs < nowMs - this.flows.options.reserveMs) continue;
        if (band === own && this.isFlooding(other, nowMs)) {
          floodWeight += other.weight;
          continue;
        }
        other.pending.pass(nowMs, true);
        pending += other.pending.perMs() ?? 0;
        if (band > own) higher = true;
        else weight += other.weight;
      }
    }
    return { pending, higher, weightShare: weight / (weight + floodWeight) };
  }
}
