import type { Line } from './line.ts';
import type { Flow } from './flow.ts';

/** A request as far as its turn depends on it. */
export interface FlowRequest {
  readonly tenant: string;
  /** Larger goes first. */
  readonly priority: number;
  /** Bytes held in memory while it waits. */
  readonly bytes: number;
  readonly arrivedAtMs: number;
  /** When its client gives up, or null. */
  readonly deadlineAtMs: number | null;
  /** First token wanted within so many milliseconds of the arrival, or null. */
  readonly ttftSloMs: number | null;
  /** A further attempt at a request that a worker failed: it may go wherever one is left. */
  readonly isRetry: boolean;
}

/** What a worker had when a request was placed there, without the request and without those that it goes before. */
export interface Room {
  /** KV tokens of the worker; 0: not known. */
  readonly kvCapacityTokens: number;
  /** In use or promised to requests that are there or go before this one. */
  readonly usedKvTokens: number;
  /** Output still to come from all of them. */
  readonly growthTokens: number;
  /** Their uncached prompt tokens that are not prefilled yet. */
  readonly queuedPrefillTokens: number;
}

/** The worker picked for a request, and what it needs there. */
export interface Placement<T> {
  readonly line: Line<T>;
  readonly uncachedTokens: number;
  readonly expectedOutputTokens: number;
  readonly room: Room;
}

export type TicketState = 'new' | 'held' | 'running' | 'ended';

/** One request from its arrival to its end. Written by the flow control alone. */
export class Ticket<T> {
  /** Whatever the caller knows the request by. */
  readonly ref: T;
  readonly request: FlowRequest;
  /** Another one when the bands change. */
  flow: Flow<T>;
  /** Order of arrival. */
  readonly sequence: number;
  state: TicketState = 'new';
  line: Line<T> | null = null;
  uncachedTokens = 0;
  growthTokens = 0;
  /** Whether its first token has come. */
  answered = false;
  /** Workers that were kept from it when it was last picked for. */
  reservedWorkers = 0;
  /** Service charged to its tenant so far. */
  charged = 0;

  constructor(ref: T, request: FlowRequest, flow: Flow<T>, sequence: number) {
    this.ref = ref;
    this.request = request;
    this.flow = flow;
    this.sequence = sequence;
  }

  /** Tokens that the request is expected to be charged for: what it makes the engine compute. */
  get cost(): number {
    return costOf(this.uncachedTokens, this.growthTokens);
  }
}

/** An output token keeps its place in every later step; the virtual token counter's authors weigh it twice an input token. */
const OUTPUT_WEIGHT = 2;

/** Service in tokens: uncached input, and output twice. A cached prefix costs nothing, so nobody pays for it. */
export const costOf = (uncachedTokens: number, outputTokens: number): number =>
  uncachedTokens + OUTPUT_WEIGHT * outputTokens;
