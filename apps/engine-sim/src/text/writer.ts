import { spanKey } from '@sluice/model';
import { normalOf } from '@sluice/numerics';
import type { Tokenizer } from './tokenizer.ts';

/** Makes up answers: readable words of the vocabulary, a function of the seed and the prompt alone. */
export interface AnswerWriter {
  /** A new answer to this prompt. */
  answer(promptTokens: Uint32Array, seed: number): Answer;
}

export interface Answer {
  /** Tokens after which this answer would end by itself (log-normal, median 150, at most 2,000). */
  readonly naturalTokens: number;
  /** Token number `index`, from 0. */
  token(index: number): number;
}

const MAX_WORDS = 2048;
const MEDIAN_TOKENS = 150;
const SIGMA = 0.8;
const LIMITS = { min: 8, max: 2000 } as const;

/** Collects the words of the vocabulary: tokens that are one lower-case English-looking word behind a space. */
export function createAnswerWriter(tokenizer: Tokenizer, vocabularySize: number): AnswerWriter {
  const words: number[] = [];
  const openers: number[] = [];
  for (let id = 0; id < vocabularySize && words.length < MAX_WORDS; id++) {
    const token = tokenizer.tokenString(id);
    if (token === undefined) continue;
    if (/^Ġ[a-z]{2,}$/.test(token)) words.push(id);
    else if (/^[A-Z][a-z]{2,}$/.test(token)) openers.push(id);
  }
  // A vocabulary without such words (a tokenizer of another kind) still gets an answer: its first tokens.
  if (words.length === 0) words.push(...Array.from({ length: Math.min(256, vocabularySize) }, (_, id) => id));
  if (openers.length === 0) openers.push(...words);
  const stop = tokenizer.idOf('.') ?? words[0]!;
  return { answer: (promptTokens, seed) => new WordAnswer(words, openers, stop, promptTokens, seed) };
}

const scratch = new Uint32Array(2);

class WordAnswer implements Answer {
  readonly naturalTokens: number;
  private readonly words: readonly number[];
  private readonly openers: readonly number[];
  private readonly stop: number;
  private readonly hi: number;
  private readonly lo: number;

  constructor(words: readonly number[], openers: readonly number[], stop: number, prompt: Uint32Array, seed: number) {
    this.words = words;
    this.openers = openers;
    this.stop = stop;
    const bytes = new Uint8Array(prompt.buffer, prompt.byteOffset, prompt.byteLength);
    spanKey(seed, 0, bytes, 0, bytes.length, scratch);
    this.hi = scratch[0]!;
    this.lo = scratch[1]!;
    const tokens = Math.round(MEDIAN_TOKENS * Math.exp(SIGMA * normalOf(this.uniform(-1), this.uniform(-2))));
    this.naturalTokens = Math.min(LIMITS.max, Math.max(LIMITS.min, tokens));
  }

  token(index: number): number {
    if (index === 0) return this.pick(this.openers, index);
    // sentences of 12 words
    return index % 13 === 12 ? this.stop : this.pick(this.words, index);
  }

  private pick(ids: readonly number[], index: number): number {
    return ids[Math.floor(this.uniform(index) * ids.length)]!;
  }

  /** A number in [0, 1) for this answer and `index`: Murmur's finaliser over both. */
  private uniform(index: number): number {
    let h = this.lo ^ Math.imul(index, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) ^ this.hi;
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
  }
}
