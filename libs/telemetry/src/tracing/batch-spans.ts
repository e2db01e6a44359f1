import type { TraceContext } from '@sluice/contracts';
import type { SpanAttributes, SpanKindName, Tracing } from './tracing.ts';

/** One of a worker's KV batches. */
export interface BatchId {
  readonly worker: string;
  readonly epoch: number;
  readonly seq: number;
}

/** Batches of each worker whose times are remembered: some seconds of a busy engine. */
const REMEMBERED = 256;
const COLUMNS = 4;
/** The batch may come to us after the word that it matters. */
const SECOND_LOOK_MS = 250;

/**
 * Spans of KV batches. A batch belongs to no request and carries no trace; a router that finds a traced request's blocks in
 * one says so afterwards, and then a span is made from the times noted here.
 */
export class BatchSpans {
  readonly #tracing: Tracing;
  readonly #name: string;
  readonly #kind: SpanKindName;
  /** By worker: epoch, seq, start and end of the last batches. */
  readonly #times = new Map<string, Float64Array>();

  constructor(tracing: Tracing, name: string, kind: SpanKindName) {
    this.#tracing = tracing;
    this.#name = name;
    this.#kind = kind;
  }

  /** A batch was handled just now. `startMs`: performance.now() or since the Unix epoch. */
  handled({ worker, epoch, seq }: BatchId, startMs: number): void {
    let times = this.#times.get(worker);
    if (times === undefined) {
      times = new Float64Array(REMEMBERED * COLUMNS).fill(-1);
      this.#times.set(worker, times);
    }
    const at = (seq % REMEMBERED) * COLUMNS;
    times[at] = epoch;
    times[at + 1] = seq;
    times[at + 2] = startMs;
    times[at + 3] = performance.now();
  }

  /** A router says that the batch matters to a trace. A batch that never came here, or long ago, has no span. */
  trace(batch: BatchId, context: TraceContext | null): void {
    if (!this.#make(batch, context)) setTimeout(() => this.#make(batch, context), SECOND_LOOK_MS).unref();
  }

  #make({ worker, epoch, seq }: BatchId, context: TraceContext | null): boolean {
    const times = this.#times.get(worker);
    const at = (seq % REMEMBERED) * COLUMNS;
    if (times === undefined || times[at] !== epoch || times[at + 1] !== seq) return false;
    const attributes: SpanAttributes = { 'sluice.worker': worker, 'sluice.kv.epoch': epoch, 'sluice.kv.seq': seq };
    this.#tracing
      .follow(this.#name, context, { kind: this.#kind, startMs: times[at + 2]!, attributes })
      .end(times[at + 3]!);
    return true;
  }
}
