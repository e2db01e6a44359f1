import type { PrefixMatches } from './matches.ts';

/**
 * What the last match found before its prompt could go more ways than one: the nodes from the root on, and how far each
 * row holds the prompt. A prompt is routed right after it was matched, and is not walked again for that.
 */
export class Stem {
  nodes = new Uint32Array(64);
  /** Bytes down to each node, growing. */
  ats = new Uint32Array(64);
  length = 0;
  /** Place of the first node that anybody holds speculatively; beyond the end when there is none. */
  firstSpeculative = Infinity;
  #prompt: Uint8Array | null = null;
  #changes = 0;
  /** Bytes that each row holds of the prompt; rows taken since hold nothing. */
  #reaches = new Uint32Array(0);

  start(root: number): void {
    this.#prompt = null;
    this.length = 0;
    this.firstSpeculative = Infinity;
    this.add(root, 0);
  }

  /** Somebody holds the node that was added last speculatively. */
  speculativeFromHere(): void {
    this.firstSpeculative = Math.min(this.firstSpeculative, this.length - 1);
  }

  add(node: number, at: number): void {
    if (this.length === this.nodes.length) {
      const [nodes, ats] = [new Uint32Array(2 * this.length), new Uint32Array(2 * this.length)];
      nodes.set(this.nodes);
      ats.set(this.ats);
      this.nodes = nodes;
      this.ats = ats;
    }
    this.nodes[this.length] = node;
    this.ats[this.length++] = at;
  }

  /** The match is done; `changes` are those of the table, see {@link Stem.knows}. */
  finish(prompt: Uint8Array, changes: number, rows: number, reaches: PrefixMatches['cachedBytes']): void {
    this.#prompt = prompt;
    this.#changes = changes;
    if (this.#reaches.length < rows) this.#reaches = new Uint32Array(rows + 32);
    this.#reaches.set(reaches.subarray(0, rows));
  }

  /** Whether this is the stem of the prompt, and nothing has changed since. */
  knows(root: number, prompt: Uint8Array, changes: number): boolean {
    return this.#prompt === prompt && this.nodes[0] === root && this.#changes === changes;
  }

  /** Place in the stem of the last node that the row holds; at the end of the stem it may hold more. */
  placeOf(row: number): number {
    const bytes = this.#reaches[row] ?? 0;
    let low = 0;
    let high = this.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.ats[middle]! <= bytes) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
