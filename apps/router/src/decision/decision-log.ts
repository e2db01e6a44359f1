import type {
  DecisionCandidate,
  DecisionOutcome,
  DecisionRecord,
  DecisionShadow,
  LiveRequest,
  RequestSummary,
} from '@sluice/contracts';
import type { Candidates, PoolId, RouteQuery, WorkerId } from '@sluice/model';
import type { DecisionTerms, PolicyId } from '@sluice/routing';
import type { ServiceLevel } from '../flow/service-level.ts';
import type { Api } from '../request/parse-request.ts';
import { SlowestOf } from './slowest-of.ts';

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

const COLUMNS = [
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
const CACHED_TOKENS = COLUMNS.indexOf('cachedTokens');
/** In the column of who is up, which comes first: up, but kept for others. */
const KEPT = 2;
const PREDICTED_TTFT = COLUMNS.indexOf('predictedTtftMs');
type Signals = Record<(typeof COLUMNS)[number], number | null>;

/** One decision: references and one array of numbers, which the next decision in the same slot reuses. */
class Entry {
  sequence = -1;
  atMs = 0;
  row = 0;
  size = 0;
  subject!: DecisionSubject;
  query = { promptTokens: 0, expectedOutputTokens: 0 };
  basis: PolicyId = 'expected-latency';
  unit: DecisionTerms['unit'] = 'ms';
  names: readonly string[] = [];
  ids: readonly WorkerId[] = [];
  numbers = new Float64Array(0);
  tieCost = -Infinity;
  followedBy: string | null = null;
  result: DecisionOutcome | null = null;
}

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
  readonly #entries: Entry[];
  /** By sequence, pushed out of the last ones: before their request ended, and those of them whose request then ended. */
  readonly #open = new Map<number, Entry>();
  readonly #late = new Map<number, Entry>();
  readonly #slow: SlowestOf<Entry>;
  #next = 0;
  /** When the last decision was made. */
  #nowMs = 0;

  /** @param prefix told apart from the ids of other routers and of this one's earlier lives */
  constructor(capacity: number, prefix: string) {
    this.#prefix = prefix;
    this.#entries = Array.from({ length: capacity }, () => new Entry());
    this.#slow = new SlowestOf(Math.floor(capacity * SLOW_SHARE), SLOW_FOR_MS);
  }

  /**
   * Records a decision and returns its id. `ids` must stay as it is (the pool makes a new list when workers come or go).
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
    const { size } = candidates;
    const columns = COLUMNS.length + 1 + terms.names.length;
    if (entry.numbers.length < columns * size) entry.numbers = new Float64Array(columns * size);
    let at = 0;
    for (const name of COLUMNS) at = copy(candidates[name], size, entry.numbers, at);
    at = copy(terms.cost, size, entry.numbers, at);
    for (const hidden of kept) entry.numbers[hidden] = KEPT;
    for (let k = 0; k < terms.names.length; k++) at = copy(terms.values[k]!, size, entry.numbers, at);
    entry.sequence = sequence;
    entry.subject = subject;
    entry.query.promptTokens = query.promptTokens;
    entry.query.expectedOutputTokens = query.expectedOutputTokens;
    entry.atMs = atMs;
    entry.row = row;
    entry.size = size;
    entry.basis = terms.basis;
    entry.unit = terms.unit;
    entry.tieCost = terms.tieCost;
    entry.names = terms.names;
    entry.ids = ids;
    entry.followedBy = null;
    entry.result = null;
    const id = this.idOf(sequence);
    const before = subject.movedFrom ?? subject.retryOf;
    const followed = before === null ? null : this.#find(before);
    if (followed !== null) {
      followed.followedBy = id;
      this.#isOver(followed);
    }
    return id;
  }

  /** Enters what came of a decision, unless it has left the log. */
  settle(id: string, result: DecisionOutcome): void {
    const entry = this.#find(id);
    if (entry === null) return;
    entry.result = result;
    this.#isOver(entry);
  }

  get(id: string): DecisionRecord | null {
    const entry = this.#find(id);
    return entry === null ? null : this.#view(entry);
  }

  /**
   * A decision with no more than its `most` cheapest candidates, cheapest first, and the chosen one: for readers on the
   * request's path, where a record of a large fleet is too dear. `of`: how many candidates there were.
   */
  brief(id: string, most: number): { readonly record: DecisionRecord; readonly of: number } | null {
    const entry = this.#find(id);
    return entry === null ? null : { record: this.#view(entry, cheapestRows(entry, most)), of: entry.size };
  }

  /** The newest `limit` decisions, newest first. */
  last(limit: number): DecisionRecord[] {
    const views: DecisionRecord[] = [];
    for (let sequence = this.#next - 1; sequence >= 0 && views.length < limit; sequence--) {
      const entry = this.#entries[sequence % this.#entries.length]!;
      if (entry.sequence !== sequence) break;
      views.push(this.#view(entry));
    }
    return views;
  }

  /** Every request that is still known, by the last of its decisions, newest first. */
  *requests(): Generator<RequestSummary> {
    const last = this.#entries.filter(({ sequence }) => sequence >= 0);
    const longer = [...this.#open.values(), ...this.#late.values(), ...this.#slow.items];
    for (const entry of [...last, ...longer].sort((a, b) => b.sequence - a.sequence)) {
      if (entry.followedBy === null) yield this.#summary(entry);
    }
  }

  /** Sequence number of the next decision: how many were made. */
  get next(): number {
    return this.#next;
  }

  /** A decision without its candidates, for the live view; null when it has left the log. */
  live(sequence: number): LiveRequest | null {
    const entry = this.#entries[sequence % this.#entries.length]!;
    if (entry.sequence !== sequence) return null;
    const { subject, query, numbers, size, row, atMs, followedBy, result } = entry;
    const cell = (column: number): number | null => finite(numbers[column * size + row]!);
    return {
      id: this.idOf(sequence),
      atMs: Math.round(atMs),
      pool: subject.pool,
      model: subject.model,
      policy: subject.policy,
      worker: entry.ids[row]!,
      promptTokens: Math.round(query.promptTokens),
      retryOf: subject.retryOf,
      movedFrom: subject.movedFrom,
      followedBy,
      cachedTokens: cell(CACHED_TOKENS),
      predictedTtftMs: tenths(cell(PREDICTED_TTFT)),
      outcome: result === null ? null : liveOutcome(result),
    };
  }

  /** The newest `limit` decisions for the live view, newest first. */
  lastLive(limit: number): { readonly sequence: number; readonly request: LiveRequest }[] {
    const found: { sequence: number; request: LiveRequest }[] = [];
    for (let sequence = this.#next - 1; sequence >= 0 && found.length < limit; sequence--) {
      const request = this.live(sequence);
      if (request === null) break;
      found.push({ sequence, request });
    }
    return found;
  }

  idOf(sequence: number): string {
    return `${this.#prefix}-${sequence.toString(36)}`;
  }

  #find(id: string): Entry | null {
    if (!id.startsWith(`${this.#prefix}-`)) return null;
    const sequence = parseInt(id.slice(this.#prefix.length + 1), 36);
    const entry = this.#entries[sequence % this.#entries.length];
    if (entry !== undefined && entry.sequence === sequence) return entry;
    const longer = this.#open.get(sequence) ?? this.#late.get(sequence);
    return longer ?? this.#slow.items.find((each) => each.sequence === sequence) ?? null;
  }

  /** The slot of a new decision: with the entry that was there, unless that is kept for longer. */
  #entryFor(sequence: number): Entry {
    const slot = sequence % this.#entries.length;
    const before = this.#entries[slot]!;
    const isOpen = before.sequence >= 0 && before.result === null && before.followedBy === null;
    if (isOpen) this.#keep(this.#open, before);
    else if (!this.#keepIfSlow(before)) return before;
    return (this.#entries[slot] = new Entry());
  }

  /** Nothing more comes of a decision: if it was kept for that alone, it stays as one of those that ended late. */
  #isOver(entry: Entry): void {
    if (!this.#open.delete(entry.sequence)) return;
    const before = this.#keep(this.#late, entry);
    if (before !== null) this.#keepIfSlow(before);
  }

  /** Keeps an entry, at most as many as there are slots; returns the one that had to go for it. */
  #keep(entries: Map<number, Entry>, entry: Entry): Entry | null {
    entries.set(entry.sequence, entry);
    if (entries.size <= this.#entries.length) return null;
    const [oldest, before] = entries.entries().next().value!;
    entries.delete(oldest);
    return before;
  }

  #keepIfSlow(entry: Entry): boolean {
    const { result } = entry;
    if (result === null || result.ttftMs === null) return false;
    return this.#slow.offer(entry, result.queuedMs + result.ttftMs, this.#nowMs);
  }

  #summary({ sequence, atMs, subject, query, numbers, size, row, ids, result }: Entry): RequestSummary {
    const cell = (column: number): number | null => finite(numbers[column * size + row]!);
    const { queuedMs, ttftMs, e2eMs } = result ?? { queuedMs: null, ttftMs: null, e2eMs: null };
    const fromArrival = (ms: number | null): number | null => (ms === null || queuedMs === null ? null : queuedMs + ms);
    return {
      id: this.idOf(sequence),
      atMs,
      pool: subject.pool,
      model: subject.model,
      tenant: subject.level.tenant,
      worker: ids[row]!,
      promptTokens: result?.promptTokens ?? query.promptTokens,
      cachedTokens: result?.cachedTokens ?? cell(CACHED_TOKENS),
      result: result?.result ?? null,
      status: result?.status ?? null,
      queuedMs,
      ttftMs: fromArrival(ttftMs),
      predictedTtftMs: cell(PREDICTED_TTFT),
      ttftErrorMs: result?.ttftErrorMs ?? null,
      ttftRegretMs: result?.ttftRegretMs ?? null,
      tpotMs: result?.tpotMs ?? null,
      e2eMs: fromArrival(e2eMs),
    };
  }

  /** @param rows of the candidates that it is to have; default: all */
  #view(entry: Entry, rows: readonly number[] = Array.from({ length: entry.size }, (_, row) => row)): DecisionRecord {
    const { size, numbers } = entry;
    const leastCost = numbers.subarray(COLUMNS.length * size, (COLUMNS.length + 1) * size).reduce(least, Infinity);
    return {
      id: this.idOf(entry.sequence),
      atMs: entry.atMs,
      ...entry.subject,
      basis: entry.basis,
      unit: entry.unit,
      promptTokens: entry.query.promptTokens,
      expectedOutputTokens: entry.query.expectedOutputTokens,
      worker: entry.ids[entry.row]!,
      tieCost: finite(Math.max(entry.tieCost, leastCost)),
      followedBy: entry.followedBy,
      candidates: rows.map((row) => candidateOf(entry, row)),
      outcome: entry.result,
    };
  }
}

function candidateOf({ numbers, size, names, ids }: Entry, row: number): DecisionCandidate {
  const cell = (column: number): number | null => finite(numbers[column * size + row]!);
  const signals = {} as Signals;
  for (let k = 0; k < COLUMNS.length; k++) signals[COLUMNS[k]!] = cell(k);
  const terms: Record<string, number | null> = {};
  for (let k = 0; k < names.length; k++) terms[names[k]!] = cell(COLUMNS.length + 1 + k);
  const [up, keptForOthers] = [numbers[row]! > 0, numbers[row] === KEPT];
  return { worker: ids[row]!, ...signals, up, keptForOthers, cost: cell(COLUMNS.length), terms };
}

function cheapestRows({ numbers, size, row: chosen }: Entry, most: number): number[] {
  const costOf = (row: number): number => finite(numbers[COLUMNS.length * size + row]!) ?? Infinity;
  const rows: number[] = [];
  for (let row = 0; row < size; row++) {
    const cost = costOf(row);
    if (rows.length === most && cost >= costOf(rows[most - 1]!)) continue;
    let at = rows.length;
    while (at > 0 && costOf(rows[at - 1]!) > cost) at--;
    rows.splice(at, 0, row);
    if (rows.length > most) rows.pop();
  }
  if (!rows.includes(chosen)) rows.push(chosen);
  return rows;
}

function copy(from: ArrayLike<number>, size: number, to: Float64Array, at: number): number {
  for (let row = 0; row < size; row++) to[at + row] = from[row]!;
  return at + size;
}

function liveOutcome({
  result,
  status,
  cachedTokens,
  outputTokens,
  ...times
}: DecisionOutcome): LiveRequest['outcome'] {
  const { ttftMs, tpotMs, e2eMs, heldMs } = times;
  return {
    result,
    status,
    cachedTokens,
    outputTokens,
    ttftMs: tenths(ttftMs),
    tpotMs: tpotMs === null ? null : Math.round(tpotMs * 1000) / 1000,
    e2eMs: Math.round(e2eMs),
    heldMs: Math.round(heldMs),
  };
}

const tenths = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 10) / 10);
const least = (a: number, b: number): number => Math.min(a, b);
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
