import type { Rng } from '@sluice/model';
import type { BatchCodec, BatchHeader, SnapshotPage } from '../replica.ts';
import type { ChainBlock } from './prompts.ts';

type Operation =
  | readonly ['store', tier: number, block: ChainBlock]
  | readonly ['remove', tier: number, block: ChainBlock]
  | readonly ['clear', tier: number];

interface Batch extends BatchHeader {
  readonly operations: readonly Operation[];
}

const encode = (batch: Batch): Uint8Array => new TextEncoder().encode(JSON.stringify(batch));
function decode(bytes: Uint8Array): Batch {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Batch;
  } catch {
    throw new RangeError('no batch');
  }
}

/** Batches as JSON: replicas are tested without the wire format. */
export const jsonCodec: BatchCodec = {
  header: decode,
  operations: (bytes, sink) => {
    for (const [kind, tier, block] of decode(bytes).operations) {
      if (kind === 'clear') sink.clear(tier);
      else if (kind === 'remove') sink.remove(tier, block.keyHi, block.keyLo);
      else {
        const { keyHi, keyLo, parentHi, parentLo, spanBytes, tokens } = block;
        sink.store(tier, keyHi, keyLo, parentHi, parentLo, spanBytes, tokens);
      }
    }
  },
};

const HBM = 0;
const nameOf = (block: ChainBlock): string => `${block.keyHi}:${block.keyLo}`;

/** The event source of one worker, all in tier 0: makes batches and remembers what was true after each. */
export class EventSource {
  epoch = 0;
  /** Of the next batch. */
  seq = 0;
  /** By `epoch/seq`: sorted keys held after that batch. */
  readonly truth = new Map<string, readonly string[]>();
  readonly #held = new Map<string, ChainBlock>();

  /** Opens a new epoch with all that is held, in `batches` batches. */
  begin(batches = 1, incomplete = false): Uint8Array[] {
    this.epoch++;
    this.seq = 0;
    const all = [...this.#held.values()].map((block) => ['store', HBM, block] as const);
    const size = Math.ceil(all.length / batches);
    return Array.from({ length: batches }, (_, i) => {
      const part = all.slice(i * size, (i + 1) * size);
      const held = all.slice(0, (i + 1) * size).map(([, , block]) => nameOf(block));
      return this.#finish(part, { begin: i === 0, incomplete: incomplete && i === 0 }, held);
    });
  }

  store(blocks: readonly ChainBlock[]): Uint8Array {
    for (const block of blocks) this.#held.set(nameOf(block), block);
    return this.#finish(blocks.map((block) => ['store', HBM, block] as const));
  }

  remove(blocks: readonly ChainBlock[]): Uint8Array {
    for (const block of blocks) this.#held.delete(nameOf(block));
    return this.#finish(blocks.map((block) => ['remove', HBM, block] as const));
  }

  clear(): Uint8Array {
    this.#held.clear();
    return this.#finish([['clear', HBM]]);
  }

  /** The worker lost everything and starts anew. */
  restart(): Uint8Array[] {
    this.#held.clear();
    return this.begin();
  }

  /** A batch of random blocks stored or removed. */
  random(rng: Rng, blocks: readonly ChainBlock[]): Uint8Array {
    const from = Math.floor(rng() * blocks.length);
    const part = blocks.slice(from, from + 1 + Math.floor(rng() * 8));
    if (rng() < 0.05) return this.clear();
    return rng() < 0.6 ? this.store(part) : this.remove(part);
  }

  /** A page with what is held now, `rows[from, to)` of it. */
  page(from = 0, to = Infinity): SnapshotPage {
    const operations = [...this.#held.values()].slice(from, to).map((block) => ['store', HBM, block] as const);
    const position = { epoch: this.epoch, seq: this.seq - 1 };
    const batch = encode({ begin: from === 0, incomplete: false, ...position, operations });
    return { ...position, incomplete: false, batch, last: to >= this.#held.size };
  }

  #finish(
    operations: readonly Operation[],
    flags = { begin: false, incomplete: false },
    held: readonly string[] = [...this.#held.keys()],
  ): Uint8Array {
    this.truth.set(`${this.epoch}/${this.seq}`, [...held].sort());
    return encode({ ...flags, epoch: this.epoch, seq: this.seq++, operations });
  }
}
