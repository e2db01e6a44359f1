import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRng } from '@sluice/numerics';
import { simTokenizer } from '@sluice/testkit';
import type { SimulatedRequest } from '@sluice/twin';

/** Ids from here on are those of text that no other request has; block ids lie below. */
const FIRST_UNIQUE = 2 ** 31;

/**
 * Prompts of simulated requests as text for the simulated engines' tokenizer: every token is a space and three letters,
 * so that a prompt has the tokens, and shares the prefixes, that the twin supposes: four bytes for each.
 */
export class ExactText {
  readonly #words: readonly string[];
  readonly #runs = new Map<number, string>();

  private constructor(words: readonly string[]) {
    this.#words = words;
  }

  static async load(): Promise<ExactText> {
    const file = JSON.parse(await readFile(join(simTokenizer, 'tokenizer.json'), 'utf8')) as {
      model: { vocab: Record<string, number> };
    };
    const words = Object.keys(file.model.vocab).filter((token) => /^Ġ[a-z]{3}$/.test(token));
    return new ExactText(words.map((token) => ` ${token.slice(1)}`));
  }

  /** The prompt of request number `index`. */
  promptOf({ blocks, blockTokens, promptTokens }: SimulatedRequest, index: number): string {
    const shared = Math.min(promptTokens, blocks.length * blockTokens);
    const unique = this.#write(FIRST_UNIQUE + index, promptTokens - shared);
    return (
      blocks
        .map((id) => this.#run(id, blockTokens))
        .join('')
        .slice(0, 4 * shared) + unique
    );
  }

  #run(id: number, tokens: number): string {
    const text = this.#runs.get(id) ?? this.#write(id, tokens);
    this.#runs.set(id, text);
    return text;
  }

  #write(id: number, tokens: number): string {
    const rng = seededRng(id);
    let text = '';
    for (let i = 0; i < tokens; i++) text += this.#words[Math.floor(rng() * this.#words.length)]!;
    return text;
  }
}
