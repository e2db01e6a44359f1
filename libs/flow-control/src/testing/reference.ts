import { RECENT_TOKENS } from '../flows.ts';
import type { FlowControlOptions } from '../options.ts';

/** A held request as the rules talk about it. */
export interface HeldRequest {
  readonly id: number;
  readonly priority: number;
  band: number;
  readonly tenant: string;
  readonly worker: number;
  readonly arrivedAtMs: number;
  readonly uncachedTokens: number;
  readonly outputTokens: number;
}

/** Service of one tenant in one band. */
interface Service {
  readonly tenant: string;
  readonly band: number;
  counter: number;
  /** Recent service as it was when the bands last changed. */
  recentBefore: number;
}

/**
 * The rules of turns as they are written down: one list of held requests, searched from the start at every question. No
 * lines, no tallies, no order kept.
 */
export class ReferenceTurns {
  readonly held: HeldRequest[] = [];
  private readonly running: HeldRequest[] = [];
  private options: FlowControlOptions;
  private services = new Map<string, Service>();
  private virtual = new Map<number, number>();
  private charges: { readonly band: number; readonly of: Service; readonly tokens: number }[] = [];
  /** By band, what was served in it before the bands last changed. */
  private servedBefore = new Map<number, number>();
  private readonly turns = new Map<number, number>();

  constructor(options: FlowControlOptions) {
    this.options = options;
  }

  band(priority: number): number {
    const sorted = [...this.options.bands].sort((a, b) => a - b);
    return Math.max(0, sorted.filter((begin) => begin <= priority).length - 1);
  }

  /** Whether the tenant has less than four fifths of its share of its band's memory, and of its recent service. */
  isModest(tenant: string, band: number): boolean {
    const ofBand = this.running.filter((request) => request.band === band);
    const used = (requests: readonly HeldRequest[]): number =>
      requests.reduce((sum, request) => sum + request.uncachedTokens + request.outputTokens, 0);
    const weights = [...new Set([...ofBand.map((request) => request.tenant), tenant])].map((name) => this.weight(name));
    const share = (0.8 * this.weight(tenant)) / weights.reduce((sum, weight) => sum + weight, 0);
    if (used(ofBand.filter((request) => request.tenant === tenant)) >= share * used(ofBand)) return false;
    return this.recent(band, this.service(tenant, band)) < share * this.recentOfAll(band);
  }

  key(tenant: string, band: number): number {
    return Math.max(this.service(tenant, band).counter, (this.virtual.get(band) ?? 0) - this.options.creditTokens);
  }

  /** A tenant with nothing held starts where the others of its band are. */
  arrives(tenant: string, band: number): void {
    const ofBand = this.held.filter((request) => request.band === band);
    if (ofBand.some((request) => request.tenant === tenant)) return;
    const others = ofBand.map((request) => this.key(request.tenant, band));
    const floor = others.length > 0 ? Math.min(...others) : (this.virtual.get(band) ?? 0);
    const service = this.service(tenant, band);
    service.counter = Math.max(service.counter, floor);
  }

  /** Whose turn it is at `worker` among those held for it, or null. */
  next(worker: number, nowMs: number): HeldRequest | null {
    const here = this.held.filter((request) => request.worker === worker);
    if (here.length === 0) return null;
    const top = Math.max(...here.map(({ band }) => band));
    const starved = here.filter(
      ({ band, arrivedAtMs }) => band < top && arrivedAtMs < nowMs - this.options.starvationMs,
    );
    // of each tenant only the oldest is in question
    const oldest = starved.filter((a) => !here.some((b) => b.band === a.band && b.tenant === a.tenant && b.id < a.id));
    if (oldest.length > 0 && (this.turns.get(worker) ?? 0) >= this.options.yieldEvery - 1) return byAge(oldest)[0]!;
    const first = here.filter(({ band }) => band === top);
    const modest = first.filter(({ tenant }) => this.isModest(tenant, top));
    const candidates = modest.length > 0 ? modest : first;
    const least = Math.min(...candidates.map(({ tenant }) => this.key(tenant, top)));
    return byAge(candidates.filter(({ tenant }) => this.key(tenant, top) === least))[0]!;
  }

  /** The request is sent. */
  sent(request: HeldRequest): void {
    const { tenant, band, worker } = request;
    const key = this.key(tenant, band);
    this.virtual.set(band, Math.max(this.virtual.get(band) ?? 0, key));
    this.service(tenant, band).counter = key;
    this.charge(request, request.uncachedTokens);
    this.running.push(request);
    const higherWaits = this.held.some((other) => other.worker === worker && other.band > band);
    this.turns.set(worker, higherWaits ? 0 : (this.turns.get(worker) ?? 0) + 1);
  }

  /** The request has written all of its output. */
  ended(request: HeldRequest): void {
    this.charge(request, 2 * request.outputTokens);
    this.running.splice(this.running.indexOf(request), 1);
  }

  /**
   * Other bands: requests are where their priority belongs, and what is known of an old band's tenants is known of them in
   * the band of its first priority; there each is ahead of the least by what it was before, and has its part of what was served.
   */
  changeBands(bands: readonly number[]): void {
    const sorted = [...this.options.bands].sort((a, b) => a - b);
    if (String(sorted) === String([...bands].sort((a, b) => a - b))) return;
    const old = sorted.map((priority, band) => this.historyOf(priority, band));
    this.options = { ...this.options, bands };
    this.services = new Map();
    this.virtual = new Map();
    this.charges = [];
    this.servedBefore = new Map();
    for (const { priority, served, virtual } of old) {
      const band = this.band(priority);
      this.servedBefore.set(band, (this.servedBefore.get(band) ?? 0) + served);
      this.virtual.set(band, Math.max(this.virtual.get(band) ?? -Infinity, virtual));
    }
    for (const { priority, tenants } of old) {
      const band = this.band(priority);
      const merged = old.filter((other) => this.band(other.priority) === band);
      const all = merged.reduce((sum, { recent }) => sum + recent, 0);
      for (const { tenant, lead, recent } of tenants) {
        const service = this.service(tenant, band);
        service.counter = Math.max(service.counter, lead);
        if (all > 0) service.recentBefore += (recent * this.recentOfAll(band)) / all;
      }
    }
    for (const request of [...this.held, ...this.running]) request.band = this.band(request.priority);
  }

  private historyOf(priority: number, band: number) {
    const waiting = this.held.filter((request) => request.band === band).map(({ tenant }) => this.key(tenant, band));
    const virtual = this.virtual.get(band) ?? 0;
    const floor = waiting.length > 0 ? Math.min(...waiting) : virtual;
    const tenants = [...this.services.values()]
      .filter((service) => service.band === band)
      .map((of) => ({
        tenant: of.tenant,
        lead: Math.max(0, this.key(of.tenant, band) - floor),
        recent: this.recent(band, of),
      }));
    return { priority, served: this.served(band), virtual: virtual - floor, recent: this.recentOfAll(band), tenants };
  }

  private charge({ tenant, band }: HeldRequest, tokens: number): void {
    const service = this.service(tenant, band);
    service.counter += tokens / this.weight(tenant);
    this.charges.push({ band, of: service, tokens });
  }

  /** Tokens served to one, half forgotten when so many have been served to its band. */
  private recent(band: number, of: Service): number {
    let [later, sum] = [0, 0];
    for (const charge of this.charges.filter((each) => each.band === band).reverse()) {
      if (charge.of === of) sum += charge.tokens * 2 ** (-later / RECENT_TOKENS);
      later += charge.tokens;
    }
    return sum + of.recentBefore * 2 ** (-later / RECENT_TOKENS);
  }

  private served(band: number): number {
    const since = this.charges.filter((each) => each.band === band);
    return since.reduce((sum, each) => sum + each.tokens, this.servedBefore.get(band) ?? 0);
  }

  private recentOfAll(band: number): number {
    const tokens = this.served(band);
    return (RECENT_TOKENS / Math.LN2) * (1 - 2 ** (-tokens / RECENT_TOKENS));
  }

  private weight(tenant: string): number {
    return this.options.weights[tenant] ?? 1;
  }

  private service(tenant: string, band: number): Service {
    const name = `${band} ${tenant}`;
    let service = this.services.get(name);
    if (service === undefined) this.services.set(name, (service = { tenant, band, counter: 0, recentBefore: 0 }));
    return service;
  }
}

const byAge = (requests: readonly HeldRequest[]): HeldRequest[] => [...requests].sort((a, b) => a.id - b.id);
