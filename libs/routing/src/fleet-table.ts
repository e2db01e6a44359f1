import { IN_FLIGHT_COUNTS } from '@sluice/model';
import type { Candidates, InFlight, Signal, StepParameters, WorkerId } from '@sluice/model';
import { PrefillQueue } from './prefill-queue.ts';

/** One reading of an engine's own signals. */
export interface ScrapedSignals {
  readonly waitingRequests: number;
  readonly runningRequests: number;
  /** Used share of the KV cache, 0 to 1. */
  readonly kvUsage: number;
  readonly kvCapacityTokens: number;
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
  'prefilledTokens',
  'decodesRunning',
  'decodeContextTokens',
  'heldKvTokens',
  'heldKvTokensAtScrape',
  'expectedGrowthTokens',
  'siblingRequests',
  'siblingQueuedPrefillTokens',
  'cachedTokens',
  'activePromptTokens',
  'predictedTtftMs',
  'predictedTpotMs',
] as const satisfies readonly Column[];

type Arrays = { -readonly [Key in Column]: Candidates[Key] };
interface MutableCandidates extends Arrays {
  size: number;
  ids: WorkerId[];
  step: StepParameters[];
}

type Counts = { -readonly [Key in keyof InFlight]: number };

/** Where a worker's counts are kept: they outlive its row, because its requests do. */
export interface WorkerSlot {
  /** -1 while the worker is not in the table. */
  row: number;
  readonly id: WorkerId;
  /** This router's own requests. */
  readonly inFlight: Counts;
  /** Of those, the ones sent and without a first token. */
  readonly queue: PrefillQueue;
  /** What the head of the queue had done when the table was last aged. */
  prefilledTokens: number;
  /** Sum over the sibling routers. */
  readonly siblings: Counts;
  /** Siblings that have something in flight here. */
  siblingShares: number;
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
  private lastMs = -Infinity;
  private ownListener: ((slot: WorkerSlot) => void) | null = null;

  constructor(capacity: number) {
    const length = Math.max(1, capacity);
    this.mutable = createArrays(length);
    this.columns = this.mutable;
    this.scrapedAtMs = new Float64Array(length);
  }

  /** The latest time that the table was told. */
  get nowMs(): number {
    return this.lastMs;
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
    const slot = known ?? this.newSlot(id);
    slot.row = row;
    this.bySlot[row] = slot;
    this.write(slot);
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
    this.told(nowMs);
    // What is prefilled by now is in the reading.
    this.progress(row);
    mutable.waitingRequests[row] = signals.waitingRequests;
    mutable.runningRequests[row] = signals.runningRequests;
    mutable.kvUsage[row] = signals.kvUsage;
    mutable.kvCapacityTokens[row] = signals.kvCapacityTokens;
    mutable.heldKvTokensAtScrape[row] = mutable.heldKvTokens[row]!;
    mutable.signalAgeMs[row] = 0;
    this.scrapedAtMs[row] = nowMs;
  }

  /** Brings what changes by itself up to date, `signalAgeMs` and the progress of prefills; called before a decision. */
  ageSignals(nowMs: number): void {
    const { signalAgeMs, size } = this.mutable;
    this.told(nowMs);
    for (let row = 0; row < size; row++) {
      signalAgeMs[row] = nowMs - this.scrapedAtMs[row]!;
      if (!this.bySlot[row]!.queue.isEmpty) this.progress(row);
    }
  }

  /** For the ledger: events happen at this time, which does not run backwards. */
  told(nowMs: number): void {
    if (nowMs > this.lastMs) this.lastMs = nowMs;
  }

  /** For the ledger: the slot of the worker in `row`. */
  slot(row: number): WorkerSlot {
    const slot = this.bySlot[row];
    if (slot === undefined) throw new RangeError(`row ${row} of ${this.mutable.size}`);
    return slot;
  }

  /** For the ledger: its counts of `slot` changed. Forgets a worker that left once nothing is in flight. */
  mirror(slot: WorkerSlot): void {
    this.write(slot);
    if (this.ownListener !== null) this.ownListener(slot);
    if (slot.row < 0) this.forgetIfIdle(slot);
  }

  /** For the ledger: {@link mirror} where nothing but outputs grew. Comes with every piece of every answer. */
  mirrorGrowth(slot: WorkerSlot): void {
    const { row, inFlight: own, siblings } = slot;
    if (row >= 0) {
      const { mutable } = this;
      mutable.decodeContextTokens[row] = own.decodeContextTokens + siblings.decodeContextTokens;
      mutable.heldKvTokens[row] = own.heldKvTokens + siblings.heldKvTokens + slot.prefilledTokens;
      mutable.expectedGrowthTokens[row] = own.growthTokens + siblings.growthTokens;
    }
    if (this.ownListener !== null) this.ownListener(slot);
  }

  /** Calls `listener` after every change of the ledger's own counts; there is one at most. */
  onOwnChange(listener: (slot: WorkerSlot) => void): void {
    this.ownListener = listener;
  }

  /** For sharing: every worker with own requests in flight, in the table or not. */
  *slotsInUse(): IterableIterator<WorkerSlot> {
    for (const slot of this.slots.values()) if (slot.inFlight.requests > 0) yield slot;
  }

  /** For the siblings' ledgers: the slot of a worker, also of one that is not in the table (yet). */
  slotOf(id: WorkerId): WorkerSlot {
    return this.slots.get(id) ?? this.newSlot(id);
  }

  /**
   * For the siblings' ledgers: one sibling's share of `slot` is `after` from now on and was `before`; null is nothing.
   * @param isOld the difference is older than the scraped columns, which show it already
   */
  replaceSiblingShare(slot: WorkerSlot, before: InFlight | null, after: InFlight | null, isOld: boolean): void {
    const { siblings, row } = slot;
    if ((after?.decodes ?? 0) > (before?.decodes ?? 0)) {
      const done = Math.max(0, (before?.queuedPrefillTokens ?? 0) - (after?.queuedPrefillTokens ?? 0));
      slot.queue.completed(done, done, this.lastMs);
    }
    for (const name of IN_FLIGHT_COUNTS) siblings[name] += (after?.[name] ?? 0) - (before?.[name] ?? 0);
    slot.siblingShares += (after === null ? 0 : 1) - (before === null ? 0 : 1);
    if (row >= 0 && isOld) {
      this.mutable.heldKvTokensAtScrape[row]! += (after?.heldKvTokens ?? 0) - (before?.heldKvTokens ?? 0);
    }
    this.write(slot);
    if (row < 0) this.forgetIfIdle(slot);
  }

  /**
   * Moves what the worker is predicted to have prefilled from the queued to the held tokens. Whose request is at the head
   * is not known where siblings have some too: it is taken for ours as often as our share of the tokens says.
   */
  private progress(row: number): void {
    const { step, decodesRunning, decodeContextTokens } = this.mutable;
    const slot = this.bySlot[row]!;
    const own = slot.inFlight.queuedPrefillTokens;
    const others = slot.siblings.queuedPrefillTokens;
    const done = slot.queue.doneTokens(this.lastMs, step[row]!, decodesRunning[row]!, decodeContextTokens[row]!);
    slot.prefilledTokens = Math.floor(others > 0 ? (done * own) / (own + others) : done);
    this.writePrefill(slot);
  }

  /** Copies a slot's counts to its row. */
  private write(slot: WorkerSlot): void {
    const { row, inFlight: own, siblings } = slot;
    if (row < 0) return;
    const { mutable } = this;
    mutable.inflightRequests[row] = own.requests + siblings.requests;
    mutable.decodesRunning[row] = own.decodes + siblings.decodes;
    mutable.decodeContextTokens[row] = own.decodeContextTokens + siblings.decodeContextTokens;
    mutable.expectedGrowthTokens[row] = own.growthTokens + siblings.growthTokens;
    mutable.siblingRequests[row] = siblings.requests;
    mutable.siblingQueuedPrefillTokens[row] = siblings.queuedPrefillTokens;
    this.writePrefill(slot);
  }

  private writePrefill({ row, inFlight: own, siblings, prefilledTokens }: WorkerSlot): void {
    const { mutable } = this;
    mutable.prefilledTokens[row] = prefilledTokens;
    mutable.queuedPrefillTokens[row] = own.queuedPrefillTokens + siblings.queuedPrefillTokens - prefilledTokens;
    mutable.heldKvTokens[row] = own.heldKvTokens + siblings.heldKvTokens + prefilledTokens;
  }

  private newSlot(id: WorkerId): WorkerSlot {
    const slot = {
      row: -1,
      id,
      inFlight: nothing(),
      queue: new PrefillQueue(),
      prefilledTokens: 0,
      siblings: nothing(),
      siblingShares: 0,
    };
    this.slots.set(id, slot);
    return slot;
  }

  private forgetIfIdle(slot: WorkerSlot): void {
    if (slot.inFlight.requests === 0 && slot.siblingShares === 0) this.slots.delete(slot.id);
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

const nothing = (): Counts => ({
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
    prefilledTokens: column(),
    decodesRunning: column(),
    decodeContextTokens: column(),
    heldKvTokens: column(),
    heldKvTokensAtScrape: column(),
    expectedGrowthTokens: column(),
    siblingRequests: column(),
    siblingQueuedPrefillTokens: column(),
    cachedTokens: column(),
    activePromptTokens: column(),
    predictedTtftMs: column(),
    predictedTpotMs: column(),
  };
}
