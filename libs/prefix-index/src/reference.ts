import { spanKey, TIER_COUNT } from '@sluice/model';
import type { BlockSink, WorkerId } from '@sluice/model';
import type { PrefixMatches } from './matches.ts';
import { goesOnFromConfirmed, speculativeSpanBytes } from './speculative-span.ts';
import { ALL_TIERS } from '@sluice/model';
import type { BlockRecord, IndexStats, PrefixIndex, SpeculationId } from './types.ts';

interface Entry {
  /** Speculations in flight that count on the entry. */
  refs: number;
  /** Belongs to a worker with a capacity and was confirmed once. */
  settled: boolean;
}
interface Block {
  readonly words: readonly [hi: number, lo: number];
  readonly parent: readonly [hi: number, lo: number];
  readonly spanBytes: number;
  tokens: number;
  readonly tiers: Map<number, Set<number>>;
  readonly speculative: Map<number, Entry>;
}
interface Worker {
  readonly id: WorkerId;
  blockTokens: number;
  capacityBytes: number | null;
  /** Keys of settled entries that nothing in flight counts on, least recently used first. */
  readonly unused: string[];
}
interface Speculation {
  readonly row: number;
  readonly keys: readonly string[];
  readonly expiresAtMs: number;
}

const name = (hi: number, lo: number): string => `${hi >>> 0}:${lo >>> 0}`;

/** The index said plainly with Maps, one worker at a time: what the production structure is held against. No bounds. */
export class ReferenceIndex implements PrefixIndex {
  readonly #rows: (Worker | null)[] = [];
  readonly #blocks = new Map<string, Block>();
  readonly #children = new Map<string, Map<string, Block>>();
  readonly #speculations = new Map<SpeculationId, Speculation>();
  #nextSpeculation = 1;

  get workers(): readonly (WorkerId | null)[] {
    return this.#rows.map((worker) => worker?.id ?? null);
  }

  addWorker(id: WorkerId): number {
    const known = this.row(id);
    if (known !== undefined) return known;
    const free = this.#rows.indexOf(null);
    const row = free < 0 ? this.#rows.length : free;
    this.#rows[row] = { id, blockTokens: 0, capacityBytes: null, unused: [] };
    return row;
  }

  row(id: WorkerId): number | undefined {
    const row = this.#rows.findIndex((worker) => worker?.id === id);
    return row < 0 ? undefined : row;
  }

  removeWorker(id: WorkerId): void {
    const row = this.row(id);
    if (row === undefined) return;
    this.clear(row, ALL_TIERS);
    this.#rows[row] = null;
  }

  store(
    row: number,
    tier: number,
    hi: number,
    lo: number,
    parentHi: number,
    parentLo: number,
    span: number,
    tokens: number,
  ): void {
    if (tier >= TIER_COUNT) return;
    const block = this.#block(hi, lo, parentHi, parentLo, span);
    block.tokens = tokens;
    block.tiers.set(row, (block.tiers.get(row) ?? new Set()).add(tier));
    this.#rows[row]!.blockTokens = tokens;
  }

  remove(row: number, tier: number, hi: number, lo: number): void {
    const block = this.#blocks.get(name(hi, lo));
    const tiers = block?.tiers.get(row);
    if (!tiers?.delete(tier)) return;
    if (tiers.size === 0) block!.tiers.delete(row);
    this.#dropUnheld(block!);
  }

  clear(row: number, tier: number): void {
    for (const block of [...this.#blocks.values()]) {
      for (const held of [...(block.tiers.get(row) ?? [])])
        if (tier === ALL_TIERS || tier === held) this.remove(row, held, ...block.words);
    }
    if (tier !== ALL_TIERS) return;
    for (const block of [...this.#blocks.values()]) {
      block.speculative.delete(row);
      this.#dropUnheld(block);
    }
    this.#rows[row]!.unused.length = 0;
    for (const [id, speculation] of this.#speculations) if (speculation.row === row) this.#speculations.delete(id);
  }

  lookup(row: number, hi: number, lo: number, out: BlockRecord): boolean {
    const block = this.#blocks.get(name(hi, lo));
    const tiers = block?.tiers.get(row);
    if (!block || !tiers) return false;
    [out.parentHi, out.parentLo] = block.parent;
    out.spanBytes = block.spanBytes;
    out.tokens = block.tokens;
    out.tiers = [...tiers].reduce((bits, tier) => bits | (1 << tier), 0);
    return true;
  }

  held(row: number, tier: number): number {
    return [...this.#blocks.values()].filter((block) => block.tiers.get(row)?.has(tier)).length;
  }

  dump(row: number, sink: BlockSink): void {
    const done = new Set<string>();
    const visit = (block: Block): void => {
      if (done.has(name(...block.words))) return;
      done.add(name(...block.words));
      const parent = this.#blocks.get(name(...block.parent));
      if (parent) visit(parent);
      for (const tier of block.tiers.get(row) ?? [])
        sink.store(tier, ...block.words, ...block.parent, block.spanBytes, block.tokens);
    };
    for (const block of this.#blocks.values()) visit(block);
  }

  match(hi: number, lo: number, prompt: Uint8Array, bytesPerToken: number, nowMs: number, out: PrefixMatches): void {
    this.expire(nowMs);
    out.reset(this.#rows.length);
    for (let row = 0; row < this.#rows.length; row++) {
      const path = this.#longest(row, [hi, lo], prompt, false);
      const bytes = path.reduce((sum, block) => sum + block.spanBytes, 0);
      const reach = this.#longest(row, [hi, lo], prompt, true);
      for (const block of path) out.tierTokens[Math.min(...block.tiers.get(row)!)]![row]! += block.tokens;
      out.confirmedTokens[row] = path.reduce((sum, block) => sum + block.tokens, 0);
      out.confirmedBytes[row] = bytes;
      out.lastBlockTokens[row] = path.at(-1)?.tokens ?? 0;
      out.whole[row] = path.length > 0 && bytes === prompt.length ? 1 : 0;
      out.cachedBytes[row] = reach.reduce((sum, block) => sum + block.spanBytes, 0);
      const tail = (out.cachedBytes[row]! - bytes) / bytesPerToken;
      const whole = this.#rows[row]?.blockTokens || 0;
      out.cachedTokens[row] = out.confirmedTokens[row]! + (whole > 0 ? Math.floor(tail / whole) * whole : tail);
    }
  }

  setCapacity(row: number, tokens: number | null, bytesPerToken: number): void {
    const worker = this.#rows[row]!;
    worker.capacityBytes = tokens === null ? null : tokens * bytesPerToken;
    this.#shrink(row);
  }

  speculate(
    row: number,
    hi: number,
    lo: number,
    prompt: Uint8Array,
    nowMs: number,
    expiresAtMs: number,
  ): SpeculationId {
    this.expire(nowMs);
    const bytesOf = (blocks: readonly Block[]): number => blocks.reduce((sum, block) => sum + block.spanBytes, 0);
    let path = this.#longest(row, [hi, lo], prompt, true);
    let last = path.at(-1);
    let at = bytesOf(path);
    const sendsEvents = this.#rows[row]!.capacityBytes === null;
    if (sendsEvents && last !== undefined && !last.tiers.has(row)) {
      const confirmed = this.#longest(row, [hi, lo], prompt, false);
      if (goesOnFromConfirmed(bytesOf(confirmed), at)) {
        last = confirmed.at(-1);
        at = bytesOf(confirmed);
        path = [];
      }
    }
    const key = new Uint32Array(last?.words ?? [hi, lo]);
    for (;;) {
      const span = speculativeSpanBytes(at, sendsEvents);
      if (at + span > prompt.length) break;
      const parent = [key[0]!, key[1]!] as const;
      spanKey(...parent, prompt, at, at + span, key);
      at += span;
      const block = this.#block(key[0]!, key[1]!, ...parent, span);
      if (!block.speculative.has(row)) block.speculative.set(row, { refs: 0, settled: false });
      path.push(block);
    }
    const worker = this.#rows[row]!;
    const entered = path.filter((block) => block.speculative.has(row)).map((block) => name(...block.words));
    for (const held of entered) {
      this.#blocks.get(held)!.speculative.get(row)!.refs++;
      if (worker.unused.includes(held)) worker.unused.splice(worker.unused.indexOf(held), 1);
    }
    this.#speculations.set(this.#nextSpeculation, { row, keys: entered, expiresAtMs });
    this.#shrink(row);
    return this.#nextSpeculation++;
  }

  confirm(id: SpeculationId): void {
    this.#end(id, true);
  }

  forget(id: SpeculationId): void {
    this.#end(id, false);
  }

  expire(nowMs: number): void {
    for (const [id, speculation] of this.#speculations) if (speculation.expiresAtMs <= nowMs) this.#end(id, true);
  }

  stats(): IndexStats {
    const blocks = [...this.#blocks.values()];
    const held = (block: Block): number => [...block.tiers.values()].reduce((sum, tiers) => sum + tiers.size, 0);
    return {
      nodes: blocks.length,
      placeholders: [...this.#children.keys()].filter((key) => !this.#blocks.has(key)).length,
      memberships: blocks.reduce((sum, block) => sum + held(block), 0),
      speculative: blocks.reduce((sum, block) => sum + block.speculative.size, 0),
      evictedNodes: 0,
      truncatedMatches: 0,
      bytes: 0,
    };
  }

  #block(hi: number, lo: number, parentHi: number, parentLo: number, spanBytes: number): Block {
    const known = this.#blocks.get(name(hi, lo));
    if (known) return known;
    const words = [hi >>> 0, lo >>> 0] as const;
    const parent = [parentHi >>> 0, parentLo >>> 0] as const;
    const block: Block = { words, parent, spanBytes, tokens: 0, tiers: new Map(), speculative: new Map() };
    this.#blocks.set(name(hi, lo), block);
    const siblings = this.#children.get(name(...parent)) ?? new Map<string, Block>();
    this.#children.set(name(...parent), siblings.set(name(hi, lo), block));
    return block;
  }

  #dropUnheld(block: Block): void {
    if (block.tiers.size > 0 || block.speculative.size > 0) return;
    this.#blocks.delete(name(...block.words));
    const siblings = this.#children.get(name(...block.parent));
    siblings?.delete(name(...block.words));
    if (siblings?.size === 0) this.#children.delete(name(...block.parent));
  }

  /** Longest chain that the row holds: most bytes, then most confirmed tokens, then the shorter span where they part. */
  #longest(row: number, root: readonly [number, number], prompt: Uint8Array, speculative: boolean): Block[] {
    let best: Block[] = [];
    let bestBytes = 0;
    let bestTokens = 0;
    const key = new Uint32Array(2);
    const pending = [{ node: root, at: 0, tokens: 0, path: null as Link | null }];
    for (let step = pending.pop(); step; step = pending.pop()) {
      if (step.at > bestBytes || (step.at === bestBytes && step.tokens > bestTokens)) {
        [bestBytes, bestTokens] = [step.at, step.tokens];
        best = unlink(step.path);
      }
      const children = this.#children.get(name(...step.node));
      const lengths = new Set([...(children?.values() ?? [])].map((child) => child.spanBytes));
      for (const length of [...lengths].sort((a, b) => b - a)) {
        if (step.at + length > prompt.length) continue;
        spanKey(...step.node, prompt, step.at, step.at + length, key);
        const child = children!.get(name(key[0]!, key[1]!));
        if (child?.spanBytes !== length) continue;
        const confirmed = child.tiers.has(row);
        if (!confirmed && !(speculative && child.speculative.has(row))) continue;
        const path = { block: child, up: step.path };
        pending.push({
          node: child.words,
          at: step.at + length,
          tokens: step.tokens + (confirmed ? child.tokens : 0),
          path,
        });
      }
    }
    return best;
  }

  #end(id: SpeculationId, computed: boolean): void {
    const speculation = this.#speculations.get(id);
    if (!speculation) return;
    this.#speculations.delete(id);
    const worker = this.#rows[speculation.row]!;
    for (const key of [...speculation.keys].reverse()) {
      const entry = this.#blocks.get(key)!.speculative.get(speculation.row)!;
      if (computed && worker.capacityBytes !== null) entry.settled = true;
      if (--entry.refs > 0) continue;
      if (entry.settled) worker.unused.push(key);
      else this.#dropEntry(speculation.row, key);
    }
    this.#shrink(speculation.row);
  }

  #shrink(row: number): void {
    const worker = this.#rows[row]!;
    const bound = worker.capacityBytes ?? 0;
    const entered = [...this.#blocks.values()].filter((block) => block.speculative.has(row));
    let bytes = entered.reduce((sum, block) => sum + block.spanBytes, 0);
    while (bytes > bound && worker.unused.length > 0) {
      const key = worker.unused.shift()!;
      bytes -= this.#blocks.get(key)!.spanBytes;
      this.#dropEntry(row, key);
    }
  }

  #dropEntry(row: number, key: string): void {
    const block = this.#blocks.get(key)!;
    block.speculative.delete(row);
    this.#dropUnheld(block);
  }
}

interface Link {
  readonly block: Block;
  readonly up: Link | null;
}
function unlink(path: Link | null): Block[] {
  const blocks: Block[] = [];
  for (let link = path; link; link = link.up) blocks.push(link.block);
  return blocks.reverse();
}

/** See {@link ReferenceIndex}. */
export const createReferenceIndex = (): PrefixIndex => new ReferenceIndex();
