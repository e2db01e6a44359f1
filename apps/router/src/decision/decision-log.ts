import type { Candidates, PoolId, RouteQuery, WorkerId } from '@sluice/model';
import { tieBand } from '@sluice/routing';
import type { DecisionTerms, PolicyId } from '@sluice/routing';
import type { ServiceLevel } from '../flow/service-level.ts';
import type { Api } from '../request/parse-request.ts';
import type { ShadowView } from './shadows.ts';
import type { TtftMiss } from './ttft-forecast.ts';

/** What came of a decision. */
export interface DecisionResult extends TtftMiss {
  readonly result: string;
  readonly status: number | null;
  readonly cause: string | null;
  readonly promptTokens: number | null;
  readonly cachedTokens: number | null;
  readonly outputTokens: number;
  readonly ttftMs: number | null;
  readonly tpotMs: number | null;
  readonly e2eMs: number;
  /** From its arrival to its dispatch: held for its turn, and attempts before this one. */
  readonly queuedMs: number;
  /** Of that, since this decision. */
  readonly heldMs: number;
}

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
  /** What shadow policies would have done; empty when they were not asked. */
  readonly shadows: readonly ShadowView[];
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

/** A decision as the admin API shows it; numbers that are not finite are null. */
export interface DecisionView extends DecisionSubject {
  readonly id: string;
  readonly atMs: number;
  readonly basis: PolicyId;
  readonly unit: DecisionTerms['unit'];
  readonly promptTokens: number;
  readonly expectedOutputTokens: number;
  readonly worker: WorkerId;
  /** Candidates that cost this or less tied with the cheapest; null when none had a cost. */
  readonly tieCost: number | null;
  /** Decision that repeats it, or by which the held request was moved on; null when there is none. */
  readonly followedBy: string | null;
  readonly candidates: readonly Readonly<Record<string, unknown>>[];
  readonly outcome: DecisionResult | null;
}

/** One decision: references and one array of numbers, which the next decision in the same slot reuses. */
class DecisionRecord {
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
  followedBy: string | null = null;
  result: DecisionResult | null = null;
}

/** The last decisions with every candidate's terms. Writing copies numbers; text is made when somebody reads. */
export class DecisionLog {
  readonly #prefix: string;
  readonly #records: DecisionRecord[];
  #next = 0;

  /** @param prefix told apart from the ids of other routers and of this one's earlier lives */
  constructor(capacity: number, prefix: string) {
    this.#prefix = prefix;
    this.#records = Array.from({ length: capacity }, () => new DecisionRecord());
  }

  /**
   * Records a decision and returns its id. `ids` must stay as it is (the pool makes a new list when workers come or go).
   */
  add(
    subject: DecisionSubject,
    query: RouteQuery,
    candidates: Candidates,
    ids: readonly WorkerId[],
    terms: DecisionTerms,
    row: number,
    atMs: number,
  ): string {
    const sequence = this.#next++;
    const record = this.#records[sequence % this.#records.length]!;
    const { size } = candidates;
    const columns = COLUMNS.length + 1 + terms.names.length;
    if (record.numbers.length < columns * size) record.numbers = new Float64Array(columns * size);
    let at = 0;
    for (const name of COLUMNS) at = copy(candidates[name], size, record.numbers, at);
    at = copy(terms.cost, size, record.numbers, at);
    for (let k = 0; k < terms.names.length; k++) at = copy(terms.values[k]!, size, record.numbers, at);
    record.sequence = sequence;
    record.subject = subject;
    record.query.promptTokens = query.promptTokens;
    record.query.expectedOutputTokens = query.expectedOutputTokens;
    record.atMs = atMs;
    record.row = row;
    record.size = size;
    record.basis = terms.basis;
    record.unit = terms.unit;
    record.names = terms.names;
    record.ids = ids;
    record.followedBy = null;
    record.result = null;
    const id = this.#id(sequence);
    const before = subject.movedFrom ?? subject.retryOf;
    const followed = before === null ? null : this.#find(before);
    if (followed !== null) followed.followedBy = id;
    return id;
  }

  /** Enters what came of a decision, unless it has left the log. */
  settle(id: string, result: DecisionResult): void {
    const record = this.#find(id);
    if (record !== null) record.result = result;
  }

  get(id: string): DecisionView | null {
    const record = this.#find(id);
    return record === null ? null : this.#view(record);
  }

  /** The newest `limit` decisions, newest first. */
  last(limit: number): DecisionView[] {
    const views: DecisionView[] = [];
    for (let sequence = this.#next - 1; sequence >= 0 && views.length < limit; sequence--) {
      const record = this.#records[sequence % this.#records.length]!;
      if (record.sequence !== sequence) break;
      views.push(this.#view(record));
    }
    return views;
  }

  #id(sequence: number): string {
    return `${this.#prefix}-${sequence.toString(36)}`;
  }

  #find(id: string): DecisionRecord | null {
    if (!id.startsWith(`${this.#prefix}-`)) return null;
    const sequence = parseInt(id.slice(this.#prefix.length + 1), 36);
    const record = this.#records[sequence % this.#records.length];
    return record !== undefined && record.sequence === sequence ? record : null;
  }

  #view(record: DecisionRecord): DecisionView {
    const { size, numbers, names } = record;
    const cell = (column: number, row: number): number | null => finite(numbers[column * size + row]!);
    const candidates = record.ids.slice(0, size).map((worker, row) => {
      const signals = Object.fromEntries(COLUMNS.map((name, column) => [name, cell(column, row)]));
      const terms = Object.fromEntries(names.map((name, k) => [name, cell(COLUMNS.length + 1 + k, row)]));
      return { worker, ...signals, up: numbers[row] === 1, cost: cell(COLUMNS.length, row), terms };
    });
    const leastCost = numbers.subarray(COLUMNS.length * size, (COLUMNS.length + 1) * size).reduce(least, Infinity);
    return {
      id: this.#id(record.sequence),
      atMs: record.atMs,
      ...record.subject,
      basis: record.basis,
      unit: record.unit,
      promptTokens: record.query.promptTokens,
      expectedOutputTokens: record.query.expectedOutputTokens,
      worker: record.ids[record.row]!,
      tieCost: finite(tieBand(record.unit, leastCost)),
      followedBy: record.followedBy,
      candidates,
      outcome: record.result,
    };
  }
}

function copy(from: ArrayLike<number>, size: number, to: Float64Array, at: number): number {
  for (let row = 0; row < size; row++) to[at + row] = from[row]!;
  return at + size;
}

const least = (a: number, b: number): number => Math.min(a, b);
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
