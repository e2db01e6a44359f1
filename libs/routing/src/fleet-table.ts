import type { Candidates, Signal, StepParameters, WorkerId } from '@sluice/model';

/** One reading of an engine's own signals. */
export interface ScrapedSignals {
  readonly waitingRequests: number;
  readonly runningRequests: number;
  /** Used share of the KV cache, 0 to 1. */
  readonly kvUsage: number;
  readonly kvCapacityTokens: number;
}

/** What is in flight on one worker, in whole requests and tokens, so that sums return to exactly zero. */
export interface InFlight {
  requests: number;
  queuedPrefillTokens: number;
  decodes: number;
  decodeContextTokens: number;
  heldKvTokens: number;
  growthTokens: number;
}

type Column = 'up' | Exclude<Signal, 'step'>;
const COLUMNS = [
  'up',
  'waitingRequests',
  'runningRequests',
  'kvUsage',
  'kvCapacityTokens',
  'signalAgeMs',
  'inflightRequests',
  'queuedPrefillTokens',
  'decodesRunning',
  'decodeContextTokens',
  'heldKvTokens',
  'heldKvTokensAtScrape',
  'expectedGrowthTokens',
  'cachedTokens',
  'predictedTtftMs',
  'predictedTpotMs',
] as const satisfies readonly Column[];

type Arrays = { -readonly [Key in Column]: Candidates[Key] };
interface MutableCandidates extends Arrays {
  size: number;
  ids: WorkerId[];
  step: StepParameters[];
}

/** Where a worker's counts are kept: they outlive its row, because its requests do. */
export interface WorkerSlot {
  /** -1 while the worker is not in the table. */
  row: number;
  readonly id: WorkerId;
  readonly inFlight: InFlight;
}

/**
 * The columns of one pool's workers, dense: rows are 0 to `columns.size - 1`. Removing a worker moves the last row into
 * its place, so a row number is valid only until the next {@link addWorker} or {@link removeWorker}. See README.md.
 */
export class FleetTable {
  /** The same object for the table's life; its arrays are replaced when the table grows. */
  readonly columns: Candidates;
  private readonly mutable: MutableCandidates;
  private readonly slots = new Map<WorkerId, WorkerSlot>();
  private readonly bySlot: WorkerSlot[] = [];
  private scrapedAtMs: Float64Array;

  constructor(capacity: number) {
    const length = Math.max(1, capacity);
    this.mutable = createArrays(length);
    this.columns = this.mutable;
    this.scrapedAtMs = new Float64Array(length);
  }

  /** Row of a worker, or -1. */
  row(id: WorkerId): number {
    return this.slots.get(id)?.row ?? -1;
  }

  /** Adds a worker that is not up and was never scraped, and returns its row; one that is there keeps its row. */
  addWorker(id: WorkerId, step: StepParameters): number {
    const known = this.slots.get(id);
    if (known !== undefined && known.row >= 0) return known.row;
    const { mutable } = this;
    if (mutable.size === mutable.up.length) this.grow();
    const row = mutable.size++;
    for (const name of COLUMNS) mutable[name][row] = 0;
    mutable.signalAgeMs[row] = Infinity;
    mutable.predictedTtftMs[row] = NaN;
    mutable.predictedTpotMs[row] = NaN;
    mutable.ids[row] = id;
    mutable.step[row] = step;
    this.scrapedAtMs[row] = -Infinity;
    // A worker that left and came back still has what was in flight then.
    const slot = known ?? { row, id, inFlight: noneInFlight() };
    slot.row = row;
    this.slots.set(id, slot);
    this.bySlot[row] = slot;
    this.mirror(slot);
    return row;
  }

  removeWorker(id: WorkerId): void {
    const slot = this.slots.get(id);
    if (slot === undefined || slot.row < 0) return;
    const { mutable } = this;
    const row = slot.row;
    const last = --mutable.size;
    if (row !== last) {
      for (const name of COLUMNS) mutable[name][row] = mutable[name][last]!;
      mutable.ids[row] = mutable.ids[last]!;
      mutable.step[row] = mutable.step[last]!;
      this.scrapedAtMs[row] = this.scrapedAtMs[last]!;
      const moved = this.bySlot[last]!;
      moved.row = row;
      this.bySlot[row] = moved;
    }
    mutable.ids.length = last;
    mutable.step.length = last;
    this.bySlot.length = last;
    slot.row = -1;
    this.forgetIfIdle(slot);
  }

  setUp(row: number, up: boolean): void {
    this.mutable.up[row] = up ? 1 : 0;
  }

  /** @param step parameters of the worker's variant, its bias applied. */
  setStep(row: number, step: StepParameters): void {
    this.mutable.step[row] = step;
  }

  /** Enters a reading taken at `nowMs`. */
  recordScrape(row: number, signals: ScrapedSignals, nowMs: number): void {
    const { mutable } = this;
    mutable.waitingRequests[row] = signals.waitingRequests;
    mutable.runningRequests[row] = signals.runningRequests;
    mutable.kvUsage[row] = signals.kvUsage;
    mutable.kvCapacityTokens[row] = signals.kvCapacityTokens;
    mutable.heldKvTokensAtScrape[row] = mutable.heldKvTokens[row]!;
    mutable.signalAgeMs[row] = 0;
    this.scrapedAtMs[row] = nowMs;
  }

  /** Brings `signalAgeMs` up to date; called before a decision. */
  ageSignals(nowMs: number): void {
    const { signalAgeMs, size } = this.mutable;
    for (let row = 0; row < size; row++) signalAgeMs[row] = nowMs - this.scrapedAtMs[row]!;
  }

  /** For the ledger: the slot of the worker in `row`. */
  slot(row: number): WorkerSlot {
    const slot = this.bySlot[row];
    if (slot === undefined) throw new RangeError(`row ${row} of ${this.mutable.size}`);
    return slot;
  }

  /** For the ledger: copies a slot's counts to its row, and forgets a worker that left once nothing is in flight. */
  mirror(slot: WorkerSlot): void {
    const { row, inFlight } = slot;
    if (row < 0) {
      this.forgetIfIdle(slot);
      return;
    }
    const { mutable } = this;
    mutable.inflightRequests[row] = inFlight.requests;
    mutable.queuedPrefillTokens[row] = inFlight.queuedPrefillTokens;
    mutable.decodesRunning[row] = inFlight.decodes;
    mutable.decodeContextTokens[row] = inFlight.decodeContextTokens;
    mutable.heldKvTokens[row] = inFlight.heldKvTokens;
    mutable.expectedGrowthTokens[row] = inFlight.growthTokens;
  }

  private forgetIfIdle(slot: WorkerSlot): void {
    if (slot.inFlight.requests === 0) this.slots.delete(slot.id);
  }

  private grow(): void {
    const old = this.mutable;
    const larger = createArrays(old.up.length * 2);
    for (const name of COLUMNS) larger[name].set(old[name]);
    Object.assign(old, larger, { size: old.size, ids: old.ids, step: old.step });
    const scrapedAtMs = new Float64Array(old.up.length);
    scrapedAtMs.set(this.scrapedAtMs);
    this.scrapedAtMs = scrapedAtMs;
  }
}

/** An empty table with room for `capacity` workers; it grows when exceeded. */
export const createFleetTable = (capacity = 16): FleetTable => new FleetTable(capacity);

const noneInFlight = (): InFlight => ({
  requests: 0,
  queuedPrefillTokens: 0,
  decodes: 0,
  decodeContextTokens: 0,
  heldKvTokens: 0,
  growthTokens: 0,
});

function createArrays(length: number): MutableCandidates {
  const column = (): Float64Array => new Float64Array(length);
  return {
    size: 0,
    ids: [],
    step: [],
    up: new Uint8Array(length),
    waitingRequests: column(),
    runningRequests: column(),
    kvUsage: column(),
    kvCapacityTokens: column(),
    signalAgeMs: column(),
    inflightRequests: column(),
    queuedPrefillTokens: column(),
    decodesRunning: column(),
    decodeContextTokens: column(),
    heldKvTokens: column(),
    heldKvTokensAtScrape: column(),
    expectedGrowthTokens: column(),
    cachedTokens: column(),
    predictedTtftMs: column(),
    predictedTpotMs: column(),
  };
}
