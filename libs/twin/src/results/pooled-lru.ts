import type { SimulatedRequest } from '../api.ts';

/** The run before the first of a prompt. */
const ROOT = 0;
const NONE = 0;

/**
 * One prefix cache with the memory of a whole pool: what routing could reuse at best if memory were not split. Holds
 * runs of text by the chain of block ids that leads to them, evicts the least recently used, of one request the last
 * run first. A run that was computed only in part is held as far as that.
 */
export class PooledLru {
  private readonly capacityTokens: number;
  private usedTokens = 0;
  // nodes; number 0 is the root, and as a link the end of a list
  private parents = new Uint32Array(64);
  private ids = new Int32Array(64);
  private tokens = new Float64Array(64);
  private older = new Uint32Array(64);
  private newer = new Uint32Array(64);
  private nodes = 1;
  private free = NONE;
  private oldest = NONE;
  private newest = NONE;
  /** Nodes of runs by parent and id, open addressing with linear probing. */
  private slots = new Uint32Array(64);
  private keyed = 0;
  private readonly path: number[] = [];

  constructor(capacityTokens: number) {
    this.capacityTokens = capacityTokens;
  }

  /** Tokens from the start of the prompt that are held. Then the request's prompt and output are held, as far as they fit. */
  access({ blocks, blockTokens, promptTokens, outputTokens }: SimulatedRequest): number {
    const { path } = this;
    path.length = 0;
    let node = ROOT;
    let found = 0;
    let matching = true;
    let start = 0;
    for (let k = 0; k < blocks.length && start < promptTokens; k++, start += blockTokens) {
      const own = Math.min(blockTokens, promptTokens - start);
      const known = this.find(node, blocks[k]!);
      if (known !== NONE) {
        if (matching) found += Math.min(own, this.tokens[known]!);
        matching &&= this.tokens[known]! >= own;
        this.unlink(known);
        this.hold(known, own);
        node = known;
      } else {
        matching = false;
        node = this.create(node, blocks[k]!);
        this.hold(node, own);
        this.enter(node);
      }
      path.push(node);
    }
    const tail = this.create(ROOT, -1);
    this.hold(tail, Math.max(0, promptTokens - start) + outputTokens);
    this.append(tail);
    for (let k = path.length - 1; k >= 0; k--) this.append(path[k]!);
    while (this.usedTokens > this.capacityTokens) this.evict();
    return found;
  }

  /** At least `tokens` of the node's run are held from now on. */
  private hold(node: number, tokens: number): void {
    if (tokens <= this.tokens[node]!) return;
    this.usedTokens += tokens - this.tokens[node]!;
    this.tokens[node] = tokens;
  }

  /** What follows a run was never used after it, so it has gone before. */
  private evict(): void {
    const node = this.oldest;
    this.unlink(node);
    this.usedTokens -= this.tokens[node]!;
    if (this.ids[node]! >= 0) this.leave(node);
    this.newer[node] = this.free;
    this.free = node;
  }

  private create(parent: number, id: number): number {
    let node = this.free;
    if (node !== NONE) this.free = this.newer[node]!;
    else {
      node = this.nodes++;
      if (node === this.tokens.length) this.growNodes();
    }
    this.parents[node] = parent;
    this.ids[node] = id;
    this.tokens[node] = 0;
    return node;
  }

  private append(node: number): void {
    this.older[node] = this.newest;
    this.newer[node] = NONE;
    if (this.newest === NONE) this.oldest = node;
    else this.newer[this.newest] = node;
    this.newest = node;
  }

  private unlink(node: number): void {
    const older = this.older[node]!;
    const newer = this.newer[node]!;
    if (older === NONE) this.oldest = newer;
    else this.newer[older] = newer;
    if (newer === NONE) this.newest = older;
    else this.older[newer] = older;
  }

  private home(parent: number, id: number): number {
    const mixed = Math.imul(parent ^ Math.imul(id, 0x9e3779b1), 0x85ebca6b);
    return (mixed ^ (mixed >>> 15)) & (this.slots.length - 1);
  }

  private find(parent: number, id: number): number {
    const mask = this.slots.length - 1;
    for (let at = this.home(parent, id); ; at = (at + 1) & mask) {
      const node = this.slots[at]!;
      if (node === NONE || (this.ids[node] === id && this.parents[node] === parent)) return node;
    }
  }

  private enter(node: number): void {
    if (2 * ++this.keyed > this.slots.length) {
      const before = this.slots;
      this.slots = new Uint32Array(2 * before.length);
      for (const each of before) if (each !== NONE) this.place(each);
    }
    this.place(node);
  }

  private place(node: number): void {
    const mask = this.slots.length - 1;
    let at = this.home(this.parents[node]!, this.ids[node]!);
    while (this.slots[at] !== NONE) at = (at + 1) & mask;
    this.slots[at] = node;
  }

  /** Frees the node's slot, moving later ones of the same run of slots forward. */
  private leave(node: number): void {
    const { slots } = this;
    const mask = slots.length - 1;
    this.keyed--;
    let gap = this.home(this.parents[node]!, this.ids[node]!);
    while (slots[gap] !== node) gap = (gap + 1) & mask;
    for (let at = (gap + 1) & mask; slots[at] !== NONE; at = (at + 1) & mask) {
      const home = this.home(this.parents[slots[at]!]!, this.ids[slots[at]!]!);
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      slots[gap] = slots[at]!;
      gap = at;
    }
    slots[gap] = NONE;
  }

  private growNodes(): void {
    const length = 2 * this.tokens.length;
    const grown = <A extends { set(from: A): void }>(larger: A, from: A): A => {
      larger.set(from);
      return larger;
    };
    this.parents = grown(new Uint32Array(length), this.parents);
    this.older = grown(new Uint32Array(length), this.older);
    this.newer = grown(new Uint32Array(length), this.newer);
    this.ids = grown(new Int32Array(length), this.ids);
    this.tokens = grown(new Float64Array(length), this.tokens);
  }
}

/**
 * Prompt tokens of each request that a {@link PooledLru} of `capacityTokens` finds when all come one after another, by
 * the engines' rule: whole blocks of `blockSize` tokens, and never the last token of a prompt.
 */
export function pooledHits(
  requests: readonly SimulatedRequest[],
  capacityTokens: number,
  blockSize: number,
): Float64Array {
  const cache = new PooledLru(capacityTokens);
  return Float64Array.from(requests, (request) => {
    const found = Math.min(cache.access(request), request.promptTokens - 1);
    return found - (found % blockSize);
  });
}
