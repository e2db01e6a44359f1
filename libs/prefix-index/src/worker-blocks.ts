import { TIER_COUNT } from '@sluice/model';
import type { WorkerId } from '@sluice/model';
import { SPECULATIVE } from './node-table.ts';
import type { NodeTable } from './node-table.ts';

/** Planes of tiers, without the speculative one. */
export const CONFIRMED_PLANES = (1 << SPECULATIVE) - 1;

/**
 * One row of the index: the worker and the nodes it holds. Removals leave their nodes in the list; it is cleaned when
 * more than half of it is stale, so that a clear costs what the worker holds and a removal costs nothing here.
 */
export class WorkerBlocks {
  readonly id: WorkerId;
  /** Holdings by tier. */
  readonly held = new Uint32Array(TIER_COUNT);
  /** Token count of the latest block announced; 0 before the first. */
  blockTokens = 0;
  /** Nodes that the row may hold, possibly more than once. */
  nodes = new Uint32Array(16);
  length = 0;
  readonly #row: number;
  readonly #table: NodeTable;

  constructor(id: WorkerId, row: number, table: NodeTable) {
    this.id = id;
    this.#row = row;
    this.#table = table;
  }

  append(node: number): void {
    if (this.length === this.nodes.length) {
      this.clean();
      if (this.length * 2 > this.nodes.length) {
        const larger = new Uint32Array(this.nodes.length * 2);
        larger.set(this.nodes);
        this.nodes = larger;
      }
    }
    this.nodes[this.length++] = node;
  }

  /** Keeps every node that the row holds once, in order. Linear in the list and, by one bit each, in the table. */
  clean(): void {
    const seen = new Uint32Array((this.#table.end + 31) >>> 5);
    let kept = 0;
    for (let i = 0; i < this.length; i++) {
      const node = this.nodes[i]!;
      const bit = 1 << (node & 31);
      if ((seen[node >>> 5]! & bit) !== 0) continue;
      if ((this.#table.planes(node, this.#row) & CONFIRMED_PLANES) === 0) continue;
      seen[node >>> 5]! |= bit;
      this.nodes[kept++] = node;
    }
    this.length = kept;
  }
}
