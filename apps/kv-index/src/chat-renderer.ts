import type { FleetSource } from '@sluice/discovery';
import type { PromptKit, Rendered } from '@sluice/prompt';
import { poolOf } from './state/lookup.ts';

export type RenderedChat = Rendered | { readonly kind: 'unknown-model'; readonly models: string[] };

/** Renders chats of lookups by people; the tokenizer folder of a pool is read when it is first needed. */
export class ChatRenderer {
  readonly #fleet: FleetSource;
  readonly #load: (dir: string) => Promise<PromptKit>;

  constructor(fleet: FleetSource, load: (dir: string) => Promise<PromptKit>) {
    this.#fleet = fleet;
    this.#load = load;
  }

  async render(model: string, chat: unknown): Promise<RenderedChat> {
    const fleet = this.#fleet.current();
    const pool = poolOf(fleet, model);
    if (!pool) return { kind: 'unknown-model', models: fleet.pools.flatMap((each) => each.models) };
    if (pool.tokenizer === null) {
      return { kind: 'unrenderable', reason: `pool '${pool.id}' has no tokenizer folder: give the rendered prompt` };
    }
    try {
      return (await this.#load(pool.tokenizer)).renderChat(chat);
    } catch (error) {
      return { kind: 'unrenderable', reason: error instanceof Error ? error.message : String(error) };
    }
  }
}
