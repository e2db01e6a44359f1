import { Controller, Inject } from '@nestjs/common';
import { kvLookup, kvSnapshot } from '@sluice/contracts';
import type { ParsedRequestOf, ReplyOf } from '@sluice/contracts';
import { isId, workerId } from '@sluice/model';
import { RespondsTo } from '@sluice/nest-kit';
import type { IndexMetrics } from '../metrics.ts';
import type { KvIndex } from '../state/kv-index.ts';
import { INDEX_METRICS, KV_INDEX } from './token.ts';

/** What other services ask over the bus. */
@Controller()
export class IndexResponder {
  readonly #index: KvIndex;
  readonly #metrics: IndexMetrics;

  constructor(@Inject(KV_INDEX) index: KvIndex, @Inject(INDEX_METRICS) metrics: IndexMetrics) {
    this.#index = index;
    this.#metrics = metrics;
  }

  @RespondsTo(kvLookup)
  lookup({ model, prompt, cacheSalt }: ParsedRequestOf<typeof kvLookup>): ReplyOf<typeof kvLookup> {
    const bytes = new TextEncoder().encode(prompt);
    return this.#metrics.timed(() => this.#index.lookup({ model, prompt: bytes, cacheSalt }));
  }

  @RespondsTo(kvSnapshot)
  snapshot({ worker, cursor }: ParsedRequestOf<typeof kvSnapshot>): ReplyOf<typeof kvSnapshot> {
    const page = isId(worker) ? this.#index.snapshotPage(workerId(worker), cursor) : null;
    if (!page) return { kind: 'unknown' };
    return { kind: 'page', ...page, batch: Buffer.from(page.batch).toString('base64') };
  }
}
