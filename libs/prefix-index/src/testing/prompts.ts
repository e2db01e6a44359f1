import { rootKey, spanKey } from '@sluice/model';
import type { Rng } from '@sluice/model';
import type { PrefixIndex } from '../types.ts';

/** One block of a chain below a root. */
export interface ChainBlock {
  readonly keyHi: number;
  readonly keyLo: number;
  readonly parentHi: number;
  readonly parentLo: number;
  readonly spanBytes: number;
  readonly tokens: number;
}

/** Root of the pool's prompts without adapter or salt, as (hi, lo). */
export function testRoot(pool = 'pool'): readonly [hi: number, lo: number] {
  const key = new Uint32Array(2);
  rootKey({ pool, lora: null, salt: null }, key);
  return [key[0]!, key[1]!];
}

/** The blocks of `prompt` cut into spans of `lengths` bytes (the last length goes on; a shorter rest is no block). */
export function chainOf(
  root: readonly [hi: number, lo: number],
  prompt: Uint8Array,
  lengths: readonly number[],
  tokensOf: (spanBytes: number) => number = (bytes) => bytes / 4,
): ChainBlock[] {
  const blocks: ChainBlock[] = [];
  const key = new Uint32Array(root);
  for (let at = 0, i = 0; ; i++) {
    const spanBytes = lengths[Math.min(i, lengths.length - 1)]!;
    if (at + spanBytes > prompt.length) return blocks;
    const [parentHi, parentLo] = [key[0]!, key[1]!];
    spanKey(parentHi, parentLo, prompt, at, at + spanBytes, key);
    blocks.push({ keyHi: key[0]!, keyLo: key[1]!, parentHi, parentLo, spanBytes, tokens: tokensOf(spanBytes) });
    at += spanBytes;
  }
}

/** Announces blocks of one worker in one tier. */
export function storeAll(index: PrefixIndex, row: number, tier: number, blocks: readonly ChainBlock[]): void {
  for (const b of blocks) index.store(row, tier, b.keyHi, b.keyLo, b.parentHi, b.parentLo, b.spanBytes, b.tokens);
}

/** `length` random bytes. */
export function randomBytes(rng: Rng, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => Math.floor(rng() * 256));
}

/** The first `cut` bytes of one text, then another text. */
export function splice(head: Uint8Array, cut: number, tail: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.min(cut, head.length) + tail.length);
  out.set(head.subarray(0, cut));
  out.set(tail, Math.min(cut, head.length));
  return out;
}
