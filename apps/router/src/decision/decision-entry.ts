import type { DecisionOutcome, DecisionShadow } from '@sluice/contracts';
import type { Candidates, PoolId, RouteQuery, WorkerId } from '@sluice/model';
import type { DecisionTerms, PolicyId } from '@sluice/routing';
import type { ServiceLevel } from '../flow/service-level.ts';
import type { Api } from '../request/parse-request.ts';
import { finite } from './finite.ts';

/** What a decision was about. */
export interface DecisionSubject {
  readonly pool: PoolId;
  readonly model: string | null;
  readonly api: Api;
  readonly policy: PolicyId;
  readonly promptBytes: number;
  /** Whether the prompt is exactly what the engine tokenises. */
  readonly exactPrompt: boolean;
  /** Decision that this one repeats on another worker, or null. */
  readonly retryOf: string | null;
  /** Decision by which the request was held for another worker before it was moved here, or null. */
  readonly movedFrom: string | null;
  readonly level: ServiceLevel;
  /** Trace of the request; null where it was not sampled. */
  readonly traceId: string | null;
  /** What shadow policies would have done; empty when they were not asked. */
  readonly shadows: readonly DecisionShadow[];
}

/** What is copied of every candidate, besides its cost and the terms of it. */
export const SIGNALS = [
  'up',
  'cachedTokens',
  'predictedTtftMs',
  'predictedTpotMs',
  'inflightRequests',
  'queuedPrefillTokens',
  'decodesRunning',
  'siblingRequests',
  'siblingQueuedPrefillTokens',
  'waitingRequests',
  'kvUsage',
  'signalAgeMs',
] as const satisfies readonly (keyof Candidates)[];
const UP = SIGNALS.indexOf('up');
const CACHED_TOKENS = SIGNALS.indexOf('cachedTokens');
const PREDICTED_TTFT = SIGNALS.indexOf('predictedTtftMs');
const COST = SIGNALS.length;
const TERMS = COST + 1;
/** In the column of who is up: up, but kept for others. */
const KEPT = 2;

/**
 * One decision: references and one array of numbers, which the next decision in the same slot reuses. The array holds
 * column after column, each with a number for every candidate: the signals, the cost, then the terms.
 */
export class DecisionEntry {
  /** Decisions are counted; -1: nothing was entered yet. */
  sequence = -1;
  id = '';
  /** Milliseconds since the Unix epoch. */
  atMs = 0;
  /** Of the chosen candidate. */
  row = 0;
  /** Candidates. */
  size = 0;
  subject!: DecisionSubject;
  readonly query = { promptTokens: 0, expectedOutputTokens: 0 };
  basis: PolicyId = 'expected-latency';
  unit: DecisionTerms['unit'] = 'ms';
  termNames: readonly string[] = [];
  /** Workers by row. */
  ids: readonly WorkerId[] = [];
  tieCost = -Infinity;
  /** Decision on the same request that came after this one, or null. */
  followedBy: string | null = null;
  /** What came of it; null until it is known. */
  outcome: DecisionOutcome | null = null;
  #numbers = new Float64Array(0);

  /** @param kept rows of workers that are up, but were not to be chosen */
  enter(
    subject: DecisionSubject,
    query: RouteQuery,
    candidates: Candidates,
    ids: readonly WorkerId[],
    terms: DecisionTerms,
    row: number,
    kept: readonly number[],
  ): void {
    this.#copy(candidates, terms, kept);
    this.subject = subject;
    this.query.promptTokens = query.promptTokens;
    this.query.expectedOutputTokens = query.expectedOutputTokens;
    this.row = row;
    this.size = candidates.size;
    this.basis = terms.basis;
    this.unit = terms.unit;
    this.tieCost = terms.tieCost;
    this.termNames = terms.names;
    this.ids = ids;
    this.followedBy = null;
    this.outcome = null;
  }

  /** The chosen one. */
  get worker(): WorkerId {
    return this.ids[this.row]!;
  }

  isUp(row: number): boolean {
    return this.#number(UP, row) > 0;
  }

  isKept(row: number): boolean {
    return this.#number(UP, row) === KEPT;
  }

  cachedTokens(row: number): number | null {
    return finite(this.#number(CACHED_TOKENS, row));
  }

  predictedTtftMs(row: number): number | null {
    return finite(this.#number(PREDICTED_TTFT, row));
  }

  /** Number `at` of {@link SIGNALS}; null where it was not known. */
  signal(at: number, row: number): number | null {
    return finite(this.#number(at, row));
  }

  /** Null where the candidate could not be chosen. */
  cost(row: number): number | null {
    return finite(this.#number(COST, row));
  }

  /** Number `at` of {@link termNames}. */
  term(at: number, row: number): number | null {
    return finite(this.#number(TERMS + at, row));
  }

  /** The cost up to which candidates were as good as the cheapest; null when none could be chosen. */
  get tieBound(): number | null {
    let least = Infinity;
    for (let row = 0; row < this.size; row++) least = Math.min(least, this.#number(COST, row));
    return finite(Math.max(this.tieCost, least));
  }

  #number(column: number, row: number): number {
    return this.#numbers[column * this.size + row]!;
  }

  #copy(candidates: Candidates, terms: DecisionTerms, kept: readonly number[]): void {
    const { size } = candidates;
    const length = (TERMS + terms.names.length) * size;
    if (this.#numbers.length < length) this.#numbers = new Float64Array(length);
    let at = 0;
    for (const name of SIGNALS) at = copy(candidates[name], size, this.#numbers, at);
    at = copy(terms.cost, size, this.#numbers, at);
    for (let k = 0; k < terms.names.length; k++) at = copy(terms.values[k]!, size, this.#numbers, at);
    for (const row of kept) this.#numbers[UP * size + row] = KEPT;
  }
}

function copy(from: ArrayLike<number>, size: number, to: Float64Array, at: number): number {
  for (let row = 0; row < size; row++) to[at + row] = from[row]!;
  return at + size;
}
