import type { DecisionOutcome, DecisionRecord, LiveRequest, RequestSummary } from '@sluice/contracts';
import type { Candidates, RouteQuery, WorkerId } from '@sluice/model';
import type { DecisionTerms } from '@sluice/routing';
import { DecisionEntry } from './decision-entry.ts';
import type { DecisionSubject } from './decision-entry.ts';
import { cheapestRows, liveOf, recordOf, summaryOf } from './decision-views.ts';
import { SlowestOf } from './slowest-of.ts';

/** Of the number of the last decisions, how many are kept for longer: the slowest to the first token. */
const SLOW_SHARE = 1 / 20;
const SLOW_FOR_MS = 3_600_000;

/**
 * The last decisions with every candidate's terms. Writing copies numbers; text is made when somebody reads. Beyond the
 * last ones are kept those of requests that have not ended, as many that ended only then, and the slowest of an hour:
 * who asks why a request was slow asks later than who asks of the last one.
 */
export class DecisionLog {
  readonly #prefix: string;
  /** The last ones: decision n is in slot n modulo their number. */
  readonly #last: DecisionEntry[];
  /** By sequence, pushed out of the last ones: before their request ended, and those of them whose request then ended. */
  readonly #open = new Map<number, DecisionEntry>();
  readonly #late = new Map<number, DecisionEntry>();
  readonly #slow: SlowestOf<DecisionEntry>;
  #next = 0;
  /** When the last decision was made. */
  #nowMs = 0;

  /** @param prefix told apart from the ids of other routers and of this one's earlier lives */
  constructor(capacity: number, prefix: string) {
    this.#prefix = prefix;
    this.#last = Array.from({ length: capacity }, () => new DecisionEntry());
    this.#slow = new SlowestOf(Math.floor(capacity * SLOW_SHARE), SLOW_FOR_MS);
  }

  /**
   * Records a decision and returns its id. `ids` must stay as it is (the pool makes a new list when workers come or go).
   * @param row of the chosen worker
   * @param atMs milliseconds since the Unix epoch
   * @param kept rows of workers that are up, but not to be chosen: flow control keeps them for others
   */
  add(
    subject: DecisionSubject,
    query: RouteQuery,
    candidates: Candidates,
    ids: readonly WorkerId[],
    terms: DecisionTerms,
    row: number,
    atMs: number,
    kept: readonly number[],
  ): string {
    const sequence = this.#next++;
    this.#nowMs = atMs;
    const entry = this.#entryFor(sequence);
    const id = this.idOf(sequence);
    entry.sequence = sequence;
    entry.id = id;
    entry.atMs = atMs;
    entry.enter(subject, query, candidates, ids, terms, row, kept);
    const before = subject.movedFrom ?? subject.retryOf;
    const followed = before === null ? null : this.#find(before);
    if (followed !== null) {
      followed.followedBy = id;
      this.#isOver(followed);
    }
    return id;
  }

  /** Enters what came of a decision, unless it has left the log. */
  settle(id: string, outcome: DecisionOutcome): void {
    const entry = this.#find(id);
    if (entry === null) return;
    entry.outcome = outcome;
    this.#isOver(entry);
  }

  get(id: string): DecisionRecord | null {
    const entry = this.#find(id);
    return entry === null ? null : recordOf(entry);
  }

  /**
   * A decision with no more than its `most` cheapest candidates, cheapest first, and the chosen one: for readers on the
   * request's path, where a record of a large fleet is too dear. `of`: how many candidates there were.
   */
  brief(id: string, most: number): { readonly record: DecisionRecord; readonly of: number } | null {
    const entry = this.#find(id);
    return entry === null ? null : { record: recordOf(entry, cheapestRows(entry, most)), of: entry.size };
  }

  /** The newest `limit` decisions, newest first. */
  last(limit: number): DecisionRecord[] {
    return this.#newest(limit).map((entry) => recordOf(entry));
  }

  /** Every request that is still known, by the last of its decisions, newest first. */
  *requests(): Generator<RequestSummary> {
    const last = this.#last.filter(({ sequence }) => sequence >= 0);
    const longer = [...this.#open.values(), ...this.#late.values(), ...this.#slow.items];
    for (const entry of [...last, ...longer].sort((a, b) => b.sequence - a.sequence)) {
      if (entry.followedBy === null) yield summaryOf(entry);
    }
  }

  /** Sequence number of the next decision: how many were made. */
  get next(): number {
    return this.#next;
  }

  /** A decision without its candidates, for the live view; null when it is not among the last. */
  live(sequence: number): LiveRequest | null {
    const entry = this.#amongLast(sequence);
    return entry === null ? null : liveOf(entry);
  }

  /** The newest `limit` decisions for the live view, newest first. */
  lastLive(limit: number): { readonly sequence: number; readonly request: LiveRequest }[] {
    return this.#newest(limit).map((entry) => ({ sequence: entry.sequence, request: liveOf(entry) }));
  }

  idOf(sequence: number): string {
    return `${this.#prefix}-${sequence.toString(36)}`;
  }

  #newest(limit: number): DecisionEntry[] {
    const found: DecisionEntry[] = [];
    for (let sequence = this.#next - 1; sequence >= 0 && found.length < limit; sequence--) {
      const entry = this.#amongLast(sequence);
      if (entry === null) break;
      found.push(entry);
    }
    return found;
  }

  #find(id: string): DecisionEntry | null {
    if (!id.startsWith(`${this.#prefix}-`)) return null;
    const sequence = parseInt(id.slice(this.#prefix.length + 1), 36);
    const kept = this.#amongLast(sequence) ?? this.#open.get(sequence) ?? this.#late.get(sequence);
    return kept ?? this.#slow.items.find((each) => each.sequence === sequence) ?? null;
  }

  #amongLast(sequence: number): DecisionEntry | null {
    const entry = this.#last[sequence % this.#last.length];
    return entry !== undefined && entry.sequence === sequence ? entry : null;
  }

  /** The slot of a new decision: with the entry that was there, unless that is kept for longer. */
  #entryFor(sequence: number): DecisionEntry {
    const slot = sequence % this.#last.length;
    const before = this.#last[slot]!;
    const isOpen = before.sequence >= 0 && before.outcome === null && before.followedBy === null;
    if (isOpen) this.#keep(this.#open, before);
    else if (!this.#keepIfSlow(before)) return before;
    return (this.#last[slot] = new DecisionEntry());
  }

  /** Nothing more comes of a decision: if it was kept for that alone, it stays as one of those that ended late. */
  #isOver(entry: DecisionEntry): void {
    if (!this.#open.delete(entry.sequence)) return;
    const before = this.#keep(this.#late, entry);
    if (before !== null) this.#keepIfSlow(before);
  }

  /** Keeps an entry, at most as many as there are slots; returns the one that had to go for it. */
  #keep(entries: Map<number, DecisionEntry>, entry: DecisionEntry): DecisionEntry | null {
    entries.set(entry.sequence, entry);
    if (entries.size <= this.#last.length) return null;
    const [oldest, before] = entries.entries().next().value!;
    entries.delete(oldest);
    return before;
  }

  #keepIfSlow(entry: DecisionEntry): boolean {
    const { outcome } = entry;
    if (outcome === null || outcome.ttftMs === null) return false;
    return this.#slow.offer(entry, outcome.queuedMs + outcome.ttftMs, this.#nowMs);
  }
}
