import type { WorkerId } from '@sluice/model';
import { spanKey } from '@sluice/model';
import { ActiveBlocks } from '@sluice/routing';
import type { Pool } from '../fleet/pool.ts';
import type { Prompt } from './prefix-view.ts';

/** Bytes of the spans that prompts are counted in, whatever the engine's blocks are. */
const SPAN_BYTES = 64;
const scratch = new Uint32Array(2);

/** A prompt that is counted until its request ends. */
export interface ActivePrompt {
  readonly blocks: ActiveBlocks;
  readonly spans: Int32Array;
}

/**
 * What this router has in flight on every worker, span by span, for policies that count text once however many requests
 * share it. Hashes whole prompts, so it is asked only where such a policy is in use.
 */
export class ActivePrompts {
  readonly #workers = new Map<WorkerId, ActiveBlocks>();
  /** Of the prompt asked about last: a decision asks, and what is sent next is as a rule the same. */
  #spans: { readonly prompt: Prompt; readonly keys: Int32Array } | null = null;

  /** Fills `activePromptTokens` of every row of the pool. */
  fill({ table, learned }: Pick<Pool, 'table' | 'learned'>, prompt: Prompt): void {
    const { activePromptTokens, ids, size } = table.columns;
    const spans = this.#spansOf(prompt);
    const spanTokens = SPAN_BYTES / learned.bytesPerToken;
    for (let row = 0; row < size; row++) {
      const count = this.#workers.get(ids[row]!)?.sizeWith(spans, spans.length / 2) ?? spans.length / 2;
      activePromptTokens[row] = count * spanTokens;
    }
  }

  sent(worker: WorkerId, prompt: Prompt): ActivePrompt {
    const spans = this.#spansOf(prompt);
    let blocks = this.#workers.get(worker);
    if (blocks === undefined) this.#workers.set(worker, (blocks = new ActiveBlocks()));
    blocks.add(spans, spans.length / 2);
    return { blocks, spans };
  }

  ended({ blocks, spans }: ActivePrompt): void {
    blocks.remove(spans, spans.length / 2);
  }

  removeWorker(worker: WorkerId): void {
    this.#workers.delete(worker);
  }

  /** Keys of the prompt's whole spans, low word first. */
  #spansOf(prompt: Prompt): Int32Array {
    if (this.#spans?.prompt === prompt) return this.#spans.keys;
    const { bytes } = prompt;
    const keys = new Int32Array(2 * Math.floor(bytes.length / SPAN_BYTES));
    scratch[0] = prompt.rootHi;
    scratch[1] = prompt.rootLo;
    for (let at = 0; at < keys.length; at += 2) {
      const start = (at / 2) * SPAN_BYTES;
      spanKey(scratch[0]!, scratch[1]!, bytes, start, start + SPAN_BYTES, scratch);
      keys[at] = scratch[1]!;
      keys[at + 1] = scratch[0]!;
    }
    this.#spans = { prompt, keys };
    return keys;
  }
}
