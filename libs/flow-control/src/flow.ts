import { DecayingRate } from './decaying-rate.ts';
import type { Ticket } from './ticket.ts';

/** Of how many requests wait for their first tokens. */
const PENDING_HALF_LIFE_MS = 30_000;

/** One tenant in one band: the unit of fairness. */
export class Flow<T> {
  readonly tenant: string;
  readonly band: Band<T>;
  weight: number;
  /** Tokens of service received, over the weight: the virtual token counter. */
  counter = 0;
  /** Of the band's recent service, what it had received when it was last charged; older service counts less. */
  recentTokens = 0;
  /** What the band had served by then. */
  recentAtTokens = 0;
  /** Tokens of service of the requests that have ended since it was first seen. */
  servedTokens = 0;
  /** Held requests, oldest first. */
  readonly held: Ticket<T>[] = [];
  /** Tokens of service that they are expected to be charged. */
  heldCost = 0;
  heldBytes = 0;
  /** Requests sent to a worker and not ended, and the memory that they were expected to need. */
  running = 0;
  usedTokens = 0;
  lastArrivalMs = -Infinity;
  /** When it was last seen flooding. */
  floodedAtMs = -Infinity;
  /** Workers that were kept from it, and until when they are not fewer. */
  reservedWorkers = 0;
  reservedUntilMs = -Infinity;
  /** Milliseconds that its requests waited for their first tokens: per millisecond, how many wait at one time. */
  readonly pending = new DecayingRate(PENDING_HALF_LIFE_MS);

  constructor(tenant: string, band: Band<T>, weight: number) {
    this.tenant = tenant;
    this.band = band;
    this.weight = weight;
  }

  get idle(): boolean {
    return this.held.length === 0 && this.running === 0;
  }
}

/** Requests of one range of priorities. */
export class Band<T> {
  /** 0 is the lowest band. */
  readonly index: number;
  /** Lowest priority in it, but that the lowest band has all below too. */
  readonly priority: number;
  /** Flows with held requests. */
  readonly backlogged = new Set<Flow<T>>();
  /** Counter of the flow served last, at its largest: where a flow starts that comes from idleness. */
  virtual = 0;
  held = 0;
  heldBytes = 0;
  heldCost = 0;
  /** Memory used by its running requests, and the weights of the flows that have any. */
  usedTokens = 0;
  usingWeight = 0;
  /** Tokens of service of all its flows. */
  servedTokens = 0;
  lastArrivalMs = -Infinity;

  constructor(index: number, priority: number) {
    this.index = index;
    this.priority = priority;
  }
}
