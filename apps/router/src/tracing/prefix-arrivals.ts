import type { Bus } from '@sluice/bus';
import { kvTraced, readKvBatchHeader } from '@sluice/contracts';
import type { PoolId, WorkerId } from '@sluice/model';
import type { Worker } from '../fleet/worker.ts';
import type { Prompt, PrefixView } from '../prefix/prefix-view.ts';
import type { RequestTrace } from './request-trace.ts';

interface Awaited {
  readonly worker: WorkerId;
  readonly pool: PoolId;
  readonly prompt: Prompt;
  readonly trace: RequestTrace;
  /** Of the prompt, what the worker's events had told before. */
  readonly knownBytes: number;
  readonly sinceMs: number;
}

/** Requests waited for at one time; the oldest is given up for a new one. */
const MOST = 256;
/** A prompt that the worker held already brings no events. */
const LONGEST_MS = 60_000;

/**
 * When the index comes to know what a traced request left in its worker's cache. An engine's events name no request: the
 * batch that belongs to one is found by its blocks, which this router compares with the prompt, and those who handled that
 * batch before are told, so that their part is in the trace too. Costs nothing while no sampled request waits.
 */
export class PrefixArrivals {
  readonly #prefix: PrefixView;
  readonly #bus: Bus;
  readonly #now: () => number;
  #awaited: Awaited[] = [];

  /** @param now the clock of the index: milliseconds since the Unix epoch. Spans have performance.now. */
  constructor(prefix: PrefixView, bus: Bus, now: () => number) {
    this.#prefix = prefix;
    this.#bus = bus;
    this.#now = now;
  }

  get isIdle(): boolean {
    return this.#awaited.length === 0;
  }

  /** The request goes to the worker. */
  await(worker: Worker, prompt: Prompt, trace: RequestTrace): void {
    if (!trace.root.isRecorded || !prompt.exact || !this.#prefix.hasEvents(worker)) return;
    const { id, pool } = worker.spec;
    const sinceMs = performance.now();
    const knownBytes = this.#prefix.confirmedBytes(id, prompt, this.#now());
    this.#awaited = this.#awaited.filter((each) => each.sinceMs > sinceMs - LONGEST_MS).slice(-(MOST - 1));
    // Outlives the request, and so must the bytes.
    const kept = { ...prompt, bytes: prompt.bytes.slice() };
    this.#awaited.push({ worker: id, pool, prompt: kept, trace, knownBytes, sinceMs });
  }

  /** A batch of the worker is in the index, which took it up at `startMs`. */
  applied(worker: WorkerId, batch: Uint8Array, startMs: number): void {
    const [endMs, nowMs] = [performance.now(), this.#now()];
    this.#awaited = this.#awaited.filter((each) => {
      if (each.worker !== worker) return true;
      const bytes = this.#prefix.confirmedBytes(worker, each.prompt, nowMs);
      if (bytes <= each.knownBytes) return true;
      this.#arrived(each, bytes, batch, startMs, endMs);
      return false;
    });
  }

  #arrived(
    { worker, pool, trace, prompt }: Awaited,
    bytes: number,
    batch: Uint8Array,
    startMs: number,
    endMs: number,
  ): void {
    const { epoch, seq, operations } = readKvBatchHeader(batch);
    const attributes = {
      'sluice.worker': worker,
      'sluice.kv.epoch': epoch,
      'sluice.kv.seq': seq,
      'sluice.kv.operations': operations,
      'sluice.prompt.bytes': prompt.bytes.length,
      'sluice.prompt.known_bytes': bytes,
    };
    const span = trace.root.child('prefix known', { kind: 'consumer', startMs, attributes });
    span.end(endMs);
    this.#bus.publish(kvTraced, { pool, worker, epoch, seq }, trace.root.context);
  }
}
