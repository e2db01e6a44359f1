import { seededRng } from '@sluice/numerics';
import type { SimulatedRequest } from '@sluice/twin';

// Short and common words: one token each in tokenizers that were trained on English.
const WORDS =
  'the of and to in is was for on that with as at by from it his an were are which this also be had or has first one their its new after but who not they have her she two been other when there all during into school time may years more most only over city some would world where later up such used many can state about national out known university united then made people part under no between use before number including well since until began being these early second long became team same area now each members end both high family life different against work group four way'.split(
    ' ',
  );
/** Texts of blocks that are kept, by id; a system prompt is used again and again. */
const KEPT = 4096;

/** Writes the prompts of one run: equal block ids are equal text, and another seed makes all texts others. */
export class PromptText {
  readonly #seed: number;
  readonly #blocks = new Map<string, string>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** A text of about `promptTokens` tokens: its blocks, and then words that no other request has. `index` tells requests apart. */
  of({ blocks, blockTokens, promptTokens }: SimulatedRequest, index: number): string {
    let text = '';
    let left = promptTokens;
    for (const id of blocks) {
      if (left <= 0) break;
      text += this.#block(id, Math.min(blockTokens, left));
      left -= blockTokens;
    }
    return left > 0 ? text + words(`${this.#seed}/own/${index}`, left) : text;
  }

  #block(id: number, tokens: number): string {
    const key = `${id}/${tokens}`;
    const known = this.#blocks.get(key);
    if (known !== undefined) return known;
    const text = words(`${this.#seed}/block/${id}`, tokens);
    if (this.#blocks.size >= KEPT) this.#blocks.clear();
    this.#blocks.set(key, text);
    return text;
  }
}

function words(name: string, count: number): string {
  const rng = seededRng(hashOf(name));
  let text = '';
  for (let i = 0; i < count; i++) text += ` ${WORDS[Math.floor(rng() * WORDS.length)]!}`;
  return text;
}

/** FNV-1a. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
