import { historyOf, inherit } from './band-history.ts';
import { Band, Flow } from './flow.ts';
import type { FlowControlOptions } from './options.ts';
import { OTHER_TENANTS } from './options.ts';
import type { FlowRequest } from './ticket.ts';

/** A tenant below this part of its share is modest; a margin, as equal floods differ by chance. */
const MODEST_SHARE = 0.8;
/** Service that is half forgotten when so many tokens have been served since. */
export const RECENT_TOKENS = 1 << 20;
/** More tokens than anybody will be served. */
const MODEST_AHEAD = 1e15;

/**
 * Bands and tenants with their virtual token counters (Sheng and others, *Fairness in Serving Large Language Models*,
 * OSDI'24): the flow that has received the least service per weight goes first, and one that comes from idleness starts
 * where the others are, so that nobody saves up.
 */
export class Flows<T> {
  bands: readonly Band<T>[] = [];
  options: FlowControlOptions;
  private weights: ReadonlyMap<string, number>;
  private byTenant: Map<string, Flow<T>>[] = [];
  private tenants = 0;

  constructor(options: FlowControlOptions) {
    this.options = options;
    this.weights = new Map(Object.entries(options.weights));
    this.begin(options.bands);
  }

  /** Whether these bands are in force, in whatever order they are named. */
  hasBands(priorities: readonly number[]): boolean {
    return String(ascending(priorities)) === String(this.bands.map(({ priority }) => priority));
  }

  /**
   * Other weights, bounds and bands from now on; service received so far counts as it did. Where the bands are others,
   * every request that there is has to {@link join} its new flow.
   * What was known of an old band's tenants is known of them in the band in which its first priority is now.
   */
  reconfigure(options: FlowControlOptions): void {
    this.options = options;
    this.weights = new Map(Object.entries(options.weights));
    if (!this.hasBands(options.bands)) return this.succeed(options.bands);
    for (const flow of this.all()) {
      const weight = this.weights.get(flow.tenant) ?? 1;
      if (flow.running > 0) flow.band.usingWeight += weight - flow.weight;
      flow.weight = weight;
    }
  }

  /** The flow of a request that is there already, and was in the flow `tenant` of another band. */
  join(tenant: string, { priority, arrivedAtMs }: FlowRequest): Flow<T> {
    const band = this.bandOf(priority);
    const flow = this.named(tenant, band);
    flow.lastArrivalMs = Math.max(flow.lastArrivalMs, arrivedAtMs);
    band.lastArrivalMs = Math.max(band.lastArrivalMs, arrivedAtMs);
    return flow;
  }

  bandOf(priority: number): Band<T> {
    let band = this.bands[0]!;
    for (const candidate of this.bands) if (candidate.priority <= priority) band = candidate;
    return band;
  }

  /** The flow of a request that arrives. One without held requests is lifted to the others' service. */
  arrival(tenant: string, priority: number, atMs: number): Flow<T> {
    const band = this.bandOf(priority);
    const flow = this.byTenant[band.index]!.get(tenant) ?? this.open(tenant, band);
    flow.lastArrivalMs = Math.max(flow.lastArrivalMs, atMs);
    flow.pending.pass(atMs, true);
    band.lastArrivalMs = Math.max(band.lastArrivalMs, atMs);
    if (flow.held.length === 0) flow.counter = Math.max(flow.counter, this.floor(band));
    return flow;
  }

  /** What the order among a band's flows goes by: the least is next. Modest flows go first, as the room left is for them. */
  rank(flow: Flow<T>): number {
    return this.isModest(flow) ? this.key(flow) - MODEST_AHEAD : this.key(flow);
  }

  /** Service received, as far as it counts. */
  key(flow: Flow<T>): number {
    return Math.max(flow.counter, flow.band.virtual - this.options.creditTokens);
  }

  /** A request of `flow` is sent out: its uncached input is charged, output as it is written. */
  send(flow: Flow<T>, cost: number): void {
    const key = this.key(flow);
    flow.band.virtual = Math.max(flow.band.virtual, key);
    flow.counter = key;
    this.charge(flow, cost);
  }

  /** A request of `flow` received so much service, or less than was charged where it is negative. */
  charge(flow: Flow<T>, cost: number): void {
    const { band } = flow;
    flow.counter += cost / flow.weight;
    band.servedTokens += cost;
    flow.recentTokens = this.recent(flow) + cost;
    flow.recentAtTokens = band.servedTokens;
  }

  /** A request of `flow` takes (`sign` 1) or frees (-1) memory on a worker. */
  use(flow: Flow<T>, sign: 1 | -1, tokens: number): void {
    const { band } = flow;
    flow.running += sign;
    flow.usedTokens += sign * tokens;
    band.usedTokens += sign * tokens;
    if (flow.running === (sign === 1 ? 1 : 0)) band.usingWeight += sign * flow.weight;
  }

  /**
   * Whether the flow has clearly less than its share of its band's memory and of its recent service: short requests in
   * great number use little memory.
   */
  isModest(flow: Flow<T>): boolean {
    const { usedTokens, weight, running, band } = flow;
    const weights = running > 0 ? band.usingWeight : band.usingWeight + weight;
    const share = (MODEST_SHARE * weight) / weights;
    return usedTokens < share * band.usedTokens && this.recent(flow) < share * this.recentOf(band);
  }

  /** What the flow has received of its band's recent service. */
  recent({ recentTokens, recentAtTokens, band }: Flow<T>): number {
    return recentTokens * 2 ** ((recentAtTokens - band.servedTokens) / RECENT_TOKENS);
  }

  /** Recent service of all flows of a band. */
  recentOf({ servedTokens }: Band<T>): number {
    return (RECENT_TOKENS / Math.LN2) * (1 - 2 ** (-servedTokens / RECENT_TOKENS));
  }

  /** Whether a request of `flow` must leave room: a higher band, or a modest flow of its own, had requests since `sinceMs`. */
  mustLeaveRoom(flow: Flow<T>, sinceMs: number): boolean {
    const own = flow.band.index;
    for (const band of this.bands) if (band.index > own && band.lastArrivalMs >= sinceMs) return true;
    if (this.isModest(flow)) return false;
    for (const other of this.byTenant[own]!.values()) {
      if (other !== flow && other.lastArrivalMs >= sinceMs && this.isModest(other)) return true;
    }
    return false;
  }

  /** The first token of a request of `flow` came after so long, or never will. */
  waited(flow: Flow<T>, waitMs: number, nowMs: number): void {
    flow.pending.pass(nowMs, true);
    flow.pending.add(waitMs);
  }

  /** Those of one band. */
  ofBand(index: number): IterableIterator<Flow<T>> {
    return this.byTenant[index]!.values();
  }

  *all(): IterableIterator<Flow<T>> {
    for (const flows of this.byTenant) yield* flows.values();
  }

  /** Service of the flow that waits and has received the least; where none waits, of the one served last. */
  floor(band: Band<T>): number {
    let least = Infinity;
    for (const flow of band.backlogged) least = Math.min(least, this.key(flow));
    return least < Infinity ? least : band.virtual;
  }

  private open(tenant: string, band: Band<T>): Flow<T> {
    if (this.tenants >= this.options.maxTenants) this.forgetIdle();
    const crowded = this.tenants >= this.options.maxTenants;
    return this.named(crowded ? OTHER_TENANTS : tenant, band);
  }

  /** The flow of that name, however many there are. */
  named(name: string, band: Band<T>): Flow<T> {
    const flows = this.byTenant[band.index]!;
    const known = flows.get(name);
    if (known !== undefined) return known;
    const flow = new Flow<T>(name, band, this.weights.get(name) ?? 1);
    flows.set(name, flow);
    if (name !== OTHER_TENANTS) this.tenants++;
    return flow;
  }

  private begin(priorities: readonly number[]): void {
    const sorted = ascending(priorities);
    this.bands = sorted.map((priority, index) => new Band<T>(index, priority));
    this.byTenant = sorted.map(() => new Map());
    this.tenants = 0;
  }

  private succeed(priorities: readonly number[]): void {
    const histories = this.bands.map((band) => historyOf(this, band));
    this.begin(priorities);
    for (const band of this.bands) {
      const own = histories.filter((history) => this.bandOf(history.band.priority) === band);
      inherit(band, own, this);
    }
  }

  /** An idle flow would be lifted on its return anyway; what it is ahead by is forgiven. */
  private forgetIdle(): void {
    for (const flows of this.byTenant) {
      for (const [name, flow] of flows) {
        if (!flow.idle || name === OTHER_TENANTS) continue;
        flows.delete(name);
        this.tenants--;
      }
    }
  }
}

const ascending = (priorities: readonly number[]): number[] => [...new Set(priorities)].sort((a, b) => a - b);
