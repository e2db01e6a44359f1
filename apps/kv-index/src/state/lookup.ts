import type { IndexedConfidence } from '@sluice/contracts';
import { rootKey } from '@sluice/model';
import type { Fleet, PoolSpec, WorkerId } from '@sluice/model';
import { createMatches } from '@sluice/prefix-index';
import type { PrefixIndex } from '@sluice/prefix-index';

export interface LookupQuery {
  readonly model: string;
  /** The rendered prompt: exactly what the engine tokenises. */
  readonly prompt: Uint8Array;
  readonly cacheSalt: string | null;
}
export interface WorkerMatch {
  readonly worker: WorkerId;
  /** Exact tokens of the blocks held, contiguous from the start of the prompt. */
  readonly cachedTokens: number;
  readonly cachedBytes: number;
  readonly confidence: IndexedConfidence;
}
export type LookupReply =
  | { readonly kind: 'unknown-model'; readonly models: string[] }
  | { readonly kind: 'matches'; readonly pool: string; readonly promptBytes: number; readonly workers: WorkerMatch[] };

/** The pool that serves a model name, adapters and aliases included. */
export const poolOf = (fleet: Fleet, model: string): PoolSpec | undefined =>
  fleet.pools.find((pool) => pool.models.includes(model));

/** Which workers hold how much of a prompt; scratch is kept between lookups. */
export class Lookup {
  readonly #matches = createMatches(16);
  readonly #root = new Uint32Array(2);

  answer(
    fleet: Fleet,
    index: PrefixIndex,
    belief: (worker: WorkerId) => IndexedConfidence,
    query: LookupQuery,
    nowMs: number,
  ): LookupReply {
    const pool = poolOf(fleet, query.model);
    if (!pool) return { kind: 'unknown-model', models: fleet.pools.flatMap((each) => each.models) };
    const lora = pool.loras.includes(query.model) ? query.model : null;
    rootKey({ pool: pool.id, lora, salt: query.cacheSalt }, this.#root);
    const matches = this.#matches;
    // Nothing here is speculative, so the ratio of bytes to tokens does not matter.
    index.match(this.#root[0]!, this.#root[1]!, query.prompt, 1, nowMs, matches);
    const workers: WorkerMatch[] = [];
    for (const { id, pool: home } of fleet.workers) {
      if (home !== pool.id) continue;
      const row = index.row(id) ?? matches.size;
      workers.push({
        worker: id,
        cachedTokens: row < matches.size ? matches.confirmedTokens[row]! : 0,
        cachedBytes: row < matches.size ? matches.confirmedBytes[row]! : 0,
        confidence: belief(id),
      });
    }
    return { kind: 'matches', pool: pool.id, promptBytes: query.prompt.length, workers };
  }
}
