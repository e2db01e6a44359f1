import { spanKey } from '@sluice/model';
import type { PrefixMatches } from './matches.ts';
import {
  HOLDERS,
  KEY_HI,
  KEY_LO,
  LENGTHS,
  LINKED,
  FLAGS,
  NODE_WORDS,
  NONE,
  PARENT,
  SPAN_BYTES,
  SPECULATIVE,
  TOKENS,
} from './node-table.ts';
import type { NodeTable } from './node-table.ts';
import { Stem } from './stem.ts';
import { CONFIRMED_PLANES } from './worker-blocks.ts';

/** Branches that wait while another is followed; a prompt that matches more ways at once is cut. */
const MAX_FRAMES = 64;
/** Keys tried for a prompt of n bytes: this many and n / 4 more. */
const BASE_KEYS = 4096;

/**
 * Walks a prompt's bytes down from a root, depth first and shorter spans first. A branch carries the set of rows that
 * hold every block so far, as bits: those confirmed, then (when there is speculation) those confirmed or speculative.
 * Rows are written out where they leave a branch, so a step costs a few words per 32 workers whatever their number.
 * All scratch is kept from call to call.
 */
export class Walk {
  /** Matches that were cut. */
  truncated = 0;
  /** Bytes down to the node that {@link Walk.longest} answered. */
  reached = 0;
  /** A node above that one (or it) above which nobody holds anything speculatively. */
  top = NONE;
  readonly #table: NodeTable;
  readonly #key = new Uint32Array(2);
  readonly #lengths: number[] = [];

  // pending branches; `#sets` holds `#setWords` words for each, of which those from low to high of a set count
  readonly #nodes = new Uint32Array(MAX_FRAMES);
  readonly #ats = new Uint32Array(MAX_FRAMES);
  readonly #tokens = new Float64Array(MAX_FRAMES);
  readonly #marks = new Uint32Array(MAX_FRAMES);
  readonly #lows = new Uint32Array(MAX_FRAMES);
  readonly #highs = new Uint32Array(MAX_FRAMES);
  #depth = 0;
  #keysLeft = 0;
  #words = 0;
  #setWords = 0;
  #sets = new Uint32Array(0);
  #here = new Uint32Array(0);
  #leaving = new Uint32Array(0);
  /** Words of 32 rows that are not empty on the current branch: most branches belong to few workers. */
  #low = 0;
  #high = 0;

  /** Tokens in tiers below the first on the current branch, `4 * row + tier`, and the log to take them back. */
  #lower = new Float64Array(0);
  readonly #lowerLog: number[] = [];

  /** Of the last match, for the {@link Walk.longest} that follows it. */
  readonly #stem = new Stem();

  constructor(table: NodeTable) {
    this.#table = table;
  }

  /** Fills `out` but for `whole` and `cachedTokens`; `out` is reset to the number of rows. */
  match(root: number, prompt: Uint8Array, rows: number, speculation: boolean, out: PrefixMatches): void {
    this.#prepare(rows, speculation ? 2 : 1, prompt);
    this.#sets.fill(0xffffffff, 0, this.#setWords);
    this.#lows[0] = 0;
    this.#highs[0] = this.#words;
    this.#push(root, 0, 0);
    this.#stem.start(root);
    let onStem = true;
    const { words } = this.#table;
    while (this.#depth > 0) {
      const frame = --this.#depth;
      let node = this.#nodes[frame]!;
      let at = this.#ats[frame]!;
      let tokens = this.#tokens[frame]!;
      this.#enter(frame);
      if (at > 0) this.#addLower(node);
      let lengths = this.#childLengths(node);
      let only = NONE;
      // Most blocks have one below them, with the same holders: going on to it changes nothing but the place.
      while (lengths === 1) {
        only = this.#child(node, prompt, at, this.#lengths[0]!);
        if (only === NONE || at === 0 || !this.#isHeldAlike(node, only)) break;
        node = only;
        at += words[node * NODE_WORDS + SPAN_BYTES]!;
        tokens += words[node * NODE_WORDS + TOKENS]!;
        if (onStem) this.#stem.add(node, at);
        lengths = this.#childLengths(node);
      }
      for (let i = 0; i < lengths; i++) {
        const child = lengths === 1 ? only : this.#child(node, prompt, at, this.#lengths[i]!);
        if (child === NONE) continue;
        if (this.#depth === MAX_FRAMES) {
          this.#keysLeft = -1;
          break;
        }
        if (!this.#intersect(child)) continue;
        const record = child * NODE_WORDS;
        this.#push(child, at + words[record + SPAN_BYTES]!, tokens + words[record + TOKENS]!);
      }
      if (at > 0) this.#writeLeaving(node, at, tokens, out);
      if (!onStem) continue;
      // A span without bytes ends the stem too, so that its places differ in bytes.
      onStem = this.#depth === 1 && this.#ats[0]! > at;
      if (!onStem) continue;
      this.#stem.add(this.#nodes[0]!, this.#ats[0]!);
      if (speculation && this.#table.heldInPlane(this.#nodes[0]!, SPECULATIVE)) this.#stem.speculativeFromHere();
    }
    this.#rewindLower(0);
    if (this.#keysLeft < 0) this.truncated++;
    else this.#stem.finish(prompt, this.#table.changes, rows, speculation ? out.cachedBytes : out.confirmedBytes);
  }

  /**
   * Node at the end of the longest chain of blocks that one row's events confirmed: most bytes, then most tokens. Its depth
   * in bytes is then in {@link Walk.reached}.
   */
  longestConfirmed(root: number, prompt: Uint8Array, row: number): number {
    this.reached = 0;
    return this.#longestFrom(root, prompt, row, CONFIRMED_PLANES);
  }

  /**
   * Node at the end of the longest chain that one row holds, speculation included: most bytes, then most confirmed
   * tokens. Its depth in bytes is then in {@link Walk.reached}. Right after a match of the same prompt (the same array
   * with the same bytes), only what lies below a fork is walked again.
   */
  longest(root: number, prompt: Uint8Array, row: number): number {
    let best = root;
    this.reached = 0;
    this.top = root;
    const stem = this.#stem;
    if (stem.knows(root, prompt, this.#table.changes)) {
      const place = stem.placeOf(row);
      best = stem.nodes[place]!;
      this.reached = stem.ats[place]!;
      this.top = stem.nodes[Math.min(place, stem.firstSpeculative - 1)]!;
      if (place < stem.length - 1) return best;
    }
    // Tokens of the stem would count alike on every branch below it.
    return this.#longestFrom(best, prompt, row, CONFIRMED_PLANES | (1 << SPECULATIVE));
  }

  /** From `best`, {@link Walk.reached} bytes into the prompt, down what the row holds in the planes. */
  #longestFrom(best: number, prompt: Uint8Array, row: number, inPlanes: number): number {
    let bestTokens = 0;
    this.#prepare(0, 0, prompt);
    this.#push(best, this.reached, 0);
    const { words } = this.#table;
    while (this.#depth > 0) {
      const frame = --this.#depth;
      const node = this.#nodes[frame]!;
      const at = this.#ats[frame]!;
      const tokens = this.#tokens[frame]!;
      if (at > this.reached || (at === this.reached && tokens > bestTokens)) {
        best = node;
        bestTokens = tokens;
        this.reached = at;
      }
      const lengths = this.#childLengths(node);
      for (let i = 0; i < lengths && this.#depth < MAX_FRAMES; i++) {
        const child = this.#child(node, prompt, at, this.#lengths[i]!);
        if (child === NONE) continue;
        const planes = this.#table.planes(child, row) & inPlanes;
        if (planes === 0) continue;
        const record = child * NODE_WORDS;
        const confirmed = planes !== 1 << SPECULATIVE;
        this.#push(child, at + words[record + SPAN_BYTES]!, tokens + (confirmed ? words[record + TOKENS]! : 0));
      }
    }
    return best;
  }

  #prepare(rows: number, sets: number, prompt: Uint8Array): void {
    this.#depth = 0;
    this.#keysLeft = BASE_KEYS + (prompt.length >>> 2);
    this.#words = (rows + 31) >>> 5;
    this.#setWords = this.#words * sets;
    if (this.#sets.length < this.#setWords * MAX_FRAMES) this.#sets = new Uint32Array(this.#setWords * MAX_FRAMES);
    if (this.#here.length < this.#setWords) {
      this.#here = new Uint32Array(this.#setWords);
      this.#leaving = new Uint32Array(this.#setWords);
    }
    if (this.#lower.length < 4 * rows) this.#lower = new Float64Array(4 * rows);
  }

  #push(node: number, at: number, tokens: number): void {
    const frame = this.#depth++;
    this.#nodes[frame] = node;
    this.#ats[frame] = at;
    this.#tokens[frame] = tokens;
    this.#marks[frame] = this.#lowerLog.length;
  }

  /** Fills `#lengths` with the node's child lengths, longest first (the last one pushed is the first one popped). */
  #childLengths(node: number): number {
    const { words, lengths } = this.#table;
    const map = node * NODE_WORDS + LENGTHS;
    const count = words[map]!;
    const pairs = count <= 1 ? words : lengths.words;
    for (let i = 0, pair = lengths.start(words, map); i < count; i++, pair += 2) {
      const length = pairs[pair]! - 1;
      let place = i;
      for (; place > 0 && this.#lengths[place - 1]! < length; place--) this.#lengths[place] = this.#lengths[place - 1]!;
      this.#lengths[place] = length;
    }
    return count;
  }

  #child(node: number, prompt: Uint8Array, at: number, length: number): number {
    if (at + length > prompt.length || --this.#keysLeft < 0) return NONE;
    const { words, lastChild } = this.#table;
    const record = node * NODE_WORDS;
    spanKey(words[record + KEY_HI]!, words[record + KEY_LO]!, prompt, at, at + length, this.#key);
    const hi = this.#key[0]!;
    const lo = this.#key[1]!;
    // Where the last walk went from here was known before the key: its record is at hand sooner than a slot's.
    let child = lastChild[node]!;
    let found = child * NODE_WORDS;
    const isChild =
      words[found + KEY_LO] === lo && words[found + KEY_HI] === hi && (words[found + FLAGS]! & LINKED) !== 0;
    if (!isChild) {
      child = this.#table.find(hi, lo);
      found = child * NODE_WORDS;
      if ((words[found + FLAGS]! & LINKED) === 0) return NONE;
    }
    if (words[found + PARENT] !== node || words[found + SPAN_BYTES] !== length) return NONE;
    lastChild[node] = child;
    return child;
  }

  /** Makes a pending branch the current one. */
  #enter(frame: number): void {
    this.#low = this.#lows[frame]!;
    this.#high = this.#highs[frame]!;
    for (let set = 0; set < this.#setWords; set += this.#words) {
      for (let w = set + this.#low, from = frame * this.#setWords + w; w < set + this.#high; w++, from++) {
        this.#here[w] = this.#sets[from]!;
        this.#leaving[w] = this.#sets[from]!;
      }
    }
    this.#rewindLower(this.#marks[frame]!);
  }

  /**
   * Whether the same rows hold both nodes, in the first tier or speculatively, as far as a look shows it: rows that hold
   * every block down to the node (no root) then hold the child too, and no tokens are added to slower tiers.
   */
  #isHeldAlike(node: number, child: number): boolean {
    const { words, holders } = this.#table;
    const map = node * NODE_WORDS + HOLDERS;
    const below = child * NODE_WORDS + HOLDERS;
    const count = words[map]!;
    // A span without bytes would end the stem.
    if (count === 0 || words[below] !== count || words[child * NODE_WORDS + SPAN_BYTES] === 0) return false;
    const pairs = count <= 1 ? words : holders.words;
    let one = holders.start(words, map);
    let other = holders.start(words, below);
    for (const end = one + 2 * count; one < end; one += 2, other += 2) {
      const tag = pairs[one]!;
      const tier = tag & 7;
      if (tier !== 0 && tier !== SPECULATIVE) return false;
      if (pairs[other] !== tag || pairs[one + 1] !== pairs[other + 1]) return false;
    }
    return true;
  }

  /**
   * Writes the rows of the current branch that also hold `child` into the next free frame and takes them out of those
   * that leave; false when there is none.
   */
  #intersect(child: number): boolean {
    const { words, holders } = this.#table;
    const sets = this.#sets;
    const here = this.#here;
    const low = this.#low;
    const high = this.#high;
    const first = this.#depth * this.#setWords;
    const both = this.#setWords > this.#words;
    for (let w = first + low; w < first + high; w++) sets[w] = 0;
    if (both) for (let w = first + this.#words + low; w < first + this.#words + high; w++) sets[w] = 0;
    const map = child * NODE_WORDS + HOLDERS;
    const count = words[map]!;
    const pairs = count <= 1 ? words : holders.words;
    for (let i = 0, pair = holders.start(words, map); i < count; i++, pair += 2) {
      const tag = pairs[pair]!;
      const word = tag >>> 3;
      if (word < low || word >= high) continue;
      const bits = pairs[pair + 1]!;
      if ((tag & 7) !== SPECULATIVE) sets[first + word]! |= bits & here[word]!;
      if (both) sets[first + this.#words + word]! |= bits & here[this.#words + word]!;
    }
    // The last set is the larger one: who is confirmed is also confirmed or speculative.
    const widest = first + this.#setWords - this.#words;
    let from = low;
    let to = high;
    while (from < to && sets[widest + from] === 0) from++;
    while (to > from && sets[widest + to - 1] === 0) to--;
    if (from === to) return false;
    this.#lows[this.#depth] = from;
    this.#highs[this.#depth] = to;
    for (let w = from; w < to; w++) this.#leaving[w]! &= ~sets[first + w]!;
    if (both) for (let w = this.#words + from; w < this.#words + to; w++) this.#leaving[w]! &= ~sets[first + w]!;
    return true;
  }

  /** Adds the node's tokens to the rows of the branch whose fastest copy is not in tier 0. */
  #addLower(node: number): void {
    const { words, holders } = this.#table;
    const map = node * NODE_WORDS + HOLDERS;
    const count = words[map]!;
    const pairs = count <= 1 ? words : holders.words;
    for (let i = 0, pair = holders.start(words, map); i < count; i++, pair += 2) {
      const tag = pairs[pair]!;
      const tier = tag & 7;
      if (tier === 0 || tier === SPECULATIVE) continue;
      const word = tag >>> 3;
      if (word < this.#low || word >= this.#high) continue;
      let bits = pairs[pair + 1]! & this.#here[word]!;
      for (let faster = 0; faster < tier; faster++) bits &= ~holders.get(words, map, (word << 3) | faster);
      for (; bits !== 0; bits &= bits - 1) {
        const cell = 4 * (32 * word + 31 - Math.clz32(bits & -bits)) + tier;
        const tokens = words[node * NODE_WORDS + TOKENS]!;
        this.#lower[cell]! += tokens;
        this.#lowerLog.push(cell, tokens);
      }
    }
  }

  #rewindLower(mark: number): void {
    const log = this.#lowerLog;
    while (log.length > mark) {
      const tokens = log.pop()!;
      this.#lower[log.pop()!]! -= tokens;
    }
  }

  #writeLeaving(node: number, at: number, tokens: number, out: PrefixMatches): void {
    const lastBlockTokens = this.#table.words[node * NODE_WORDS + TOKENS]!;
    const both = this.#setWords > this.#words;
    for (let word = this.#low; word < this.#high; word++) {
      for (let bits = this.#leaving[word]!; bits !== 0; bits &= bits - 1) {
        const row = 32 * word + 31 - Math.clz32(bits & -bits);
        const better =
          at > out.confirmedBytes[row]! || (at === out.confirmedBytes[row] && tokens > out.confirmedTokens[row]!);
        if (!better) continue;
        out.confirmedBytes[row] = at;
        out.confirmedTokens[row] = tokens;
        out.lastBlockTokens[row] = lastBlockTokens;
        let below = 0;
        for (let tier = 1; tier < 4; tier++) {
          out.tierTokens[tier]![row] = this.#lower[4 * row + tier]!;
          below += this.#lower[4 * row + tier]!;
        }
        out.tierTokens[0]![row] = tokens - below;
      }
      if (!both) continue;
      for (let bits = this.#leaving[this.#words + word]!; bits !== 0; bits &= bits - 1) {
        const row = 32 * word + 31 - Math.clz32(bits & -bits);
        if (at > out.cachedBytes[row]!) out.cachedBytes[row] = at;
      }
    }
  }
}
