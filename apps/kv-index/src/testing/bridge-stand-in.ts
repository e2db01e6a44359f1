import type { Bus, Unsubscribe } from '@sluice/bus';
import { kvDeltas, kvFeed, KvBatchWriter, KvFlag, kvResync } from '@sluice/contracts';
import { TIER_COUNT } from '@sluice/model';
import type { Rng, WorkerId } from '@sluice/model';
import type { PrefixIndex } from '@sluice/prefix-index';
import { createReferenceIndex } from '@sluice/prefix-index/testing';
import type { ChainBlock } from '@sluice/prefix-index/testing';

/** Publishes what a bridge would for one worker, and knows the truth: in the plain index unless told otherwise. */
export class BridgeStandIn {
  /** Row 0 is the worker. */
  readonly truth: PrefixIndex;
  readonly resyncs: string[] = [];
  epoch = 1000;
  /** Of the next batch. */
  seq = 0;
  readonly #bus: Bus;
  readonly #pool: string;
  readonly #worker: WorkerId;
  readonly #writer = new KvBatchWriter();
  readonly #unsubscribe: Unsubscribe;

  constructor(bus: Bus, pool: string, worker: WorkerId, truth = createReferenceIndex()) {
    this.#bus = bus;
    this.#pool = pool;
    this.#worker = worker;
    this.truth = truth;
    this.truth.addWorker(worker);
    this.#unsubscribe = bus.subscribe(kvResync, (asked) => {
      if (asked.pool !== pool || (asked.worker !== null && asked.worker !== worker)) return;
      this.resyncs.push(asked.reason);
      this.begin();
    });
  }

  /** A new epoch with all that is held. */
  begin(): void {
    this.epoch++;
    this.seq = 0;
    this.truth.dump(0, this.#writer);
    this.#send(true, KvFlag.BEGIN);
  }

  /** `sent: false`: the batch is lost on its way. */
  store(tier: number, blocks: readonly ChainBlock[], sent = true): void {
    for (const { keyHi, keyLo, parentHi, parentLo, spanBytes, tokens } of blocks) {
      this.truth.store(0, tier, keyHi, keyLo, parentHi, parentLo, spanBytes, tokens);
      this.#writer.store(tier, keyHi, keyLo, parentHi, parentLo, spanBytes, tokens);
    }
    this.#send(sent);
  }

  remove(tier: number, blocks: readonly ChainBlock[], sent = true): void {
    for (const { keyHi, keyLo } of blocks) {
      this.truth.remove(0, tier, keyHi, keyLo);
      this.#writer.remove(tier, keyHi, keyLo);
    }
    this.#send(sent);
  }

  clear(tier: number): void {
    this.truth.clear(0, tier);
    this.#writer.clear(tier);
    this.#send(true);
  }

  /** A random change; one in `lossOneIn` is lost. */
  random(rng: Rng, blocks: readonly ChainBlock[], lossOneIn = Infinity): void {
    const tier = Math.floor(rng() * TIER_COUNT);
    const from = Math.floor(rng() * blocks.length);
    const part = blocks.slice(from, from + 1 + Math.floor(rng() * 20));
    const sent = rng() >= 1 / lossOneIn;
    if (rng() < 0.01) this.clear(tier);
    else if (rng() < 0.65) this.store(tier, part, sent);
    else this.remove(tier, part, sent);
  }

  /** Says how much was published, as the bridge does every few seconds. */
  report(state: 'live' | 'disconnected' = 'live'): void {
    const counts = { gaps: 0, replays: 0, restarts: 0, blocks: 0, lagMs: 0 };
    const [pool, worker] = [this.#pool, this.#worker];
    this.#bus.publish(kvFeed, { pool, worker, state, epoch: this.epoch, seq: this.seq, ...counts });
  }

  stop(): void {
    this.#unsubscribe();
  }

  #send(sent: boolean, flags = 0): void {
    const bytes = this.#writer.finish({ flags, epoch: this.epoch, seq: this.seq++, engineTimeMs: Date.now() });
    if (sent) this.#bus.append(kvDeltas, [this.#pool, this.#worker], bytes);
  }
}

/** The blocks of a row as sorted text. */
export function blocksOf(index: PrefixIndex, row: number): string[] {
  const lines: string[] = [];
  index.dump(row, { store: (...block) => lines.push(block.join(' ')) });
  return lines.sort();
}
