import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import {
  indexedBlocksSchema,
  indexedWorkerSchema,
  indexedWorkersSchema,
  indexLookupSchema,
  indexStatsSchema,
} from '@sluice/contracts';
import type { IndexedBlocks, IndexedWorker, IndexedWorkers, IndexLookup, IndexStats } from '@sluice/contracts';
import { isId, workerId } from '@sluice/model';
import type { WorkerId } from '@sluice/model';
import { Operation, Problem, zodBody } from '@sluice/nest-kit';
import type { z } from 'zod';
import type { ChatRenderer } from '../chat-renderer.ts';
import type { IndexMetrics } from '../metrics.ts';
import type { KvIndex } from '../state/kv-index.ts';
import type { LookupReply } from '../state/lookup.ts';
import { blocksQuery, lookupBody, resyncReply } from './schemas.ts';
import { CHAT_RENDERER, INDEX_METRICS, KV_INDEX } from './token.ts';

/** Admin API of the kv-index. */
@Controller()
export class IndexController {
  readonly #index: KvIndex;
  readonly #renderer: ChatRenderer;
  readonly #metrics: IndexMetrics;

  constructor(
    @Inject(KV_INDEX) index: KvIndex,
    @Inject(CHAT_RENDERER) renderer: ChatRenderer,
    @Inject(INDEX_METRICS) metrics: IndexMetrics,
  ) {
    this.#index = index;
    this.#renderer = renderer;
    this.#metrics = metrics;
  }

  @Get('workers')
  @Operation({
    summary: 'Every worker with events: what it holds and how far it can be believed',
    reply: indexedWorkersSchema,
  })
  workers(): IndexedWorkers {
    return { workers: this.#index.workers() };
  }

  @Get('workers/:id')
  @Operation({ summary: 'One worker', reply: indexedWorkerSchema })
  worker(@Param('id') id: string): IndexedWorker {
    return this.#index.worker(known(id)) ?? unknownWorker(id);
  }

  @Get('workers/:id/blocks')
  @Operation({ summary: 'Blocks of a worker, parents first', query: blocksQuery, reply: indexedBlocksSchema })
  blocks(@Param('id') id: string, @Query() query: unknown): IndexedBlocks {
    const { offset, limit } = zodBody(blocksQuery, query);
    const { worker, confidence, epoch, seq } = this.#index.worker(known(id)) ?? unknownWorker(id);
    const all = this.#index.blocks(worker) ?? [];
    const next = offset + limit < all.length ? offset + limit : null;
    const blocks = all.slice(offset, offset + limit);
    return { worker, confidence, epoch, seq, total: all.length, next, blocks };
  }

  @Post('workers/:id/resync')
  @HttpCode(202)
  @Operation({ summary: 'Ask the event bridge for all that it knows of a worker', reply: resyncReply, status: 202 })
  resync(@Param('id') id: string): z.output<typeof resyncReply> {
    if (!this.#index.resync(known(id), 'asked by an administrator')) return unknownWorker(id);
    return { requested: id };
  }

  @Get('stats')
  @Operation({ summary: 'Size of the index and what happened to batches', reply: indexStatsSchema })
  stats(): IndexStats {
    return { index: this.#index.stats(), batches: this.#index.counters, pendingWrites: this.#index.pendingWorkers };
  }

  @Post('lookup')
  @HttpCode(200)
  @Operation({
    summary: 'Which workers hold how much of a prompt',
    access: 'read',
    body: lookupBody,
    reply: indexLookupSchema,
  })
  async lookup(@Body() body: unknown): Promise<IndexLookup> {
    const { model, prompt, messages, tools, cacheSalt } = zodBody(lookupBody, body);
    const bytes =
      prompt !== undefined
        ? new TextEncoder().encode(prompt)
        : await this.#render(model, { model, messages, ...(tools && { tools }) });
    const reply = this.#metrics.timed(() => this.#index.lookup({ model, prompt: bytes, cacheSalt }));
    return reply.kind === 'matches' ? reply : unknownModel(model, reply.models);
  }

  async #render(model: string, chat: unknown): Promise<Uint8Array> {
    const rendered = await this.#renderer.render(model, chat);
    if (rendered.kind === 'unknown-model') return unknownModel(model, rendered.models);
    if (rendered.kind === 'unrenderable') throw new Problem(400, 'unrenderable', rendered.reason);
    return rendered.bytes;
  }
}

const known = (id: string): WorkerId => (isId(id) ? workerId(id) : unknownWorker(id));

function unknownWorker(id: string): never {
  throw new Problem(404, 'unknown_worker', `no worker '${id}' with KV events is in the fleet`);
}

function unknownModel(model: string, models: Extract<LookupReply, { kind: 'unknown-model' }>['models']): never {
  throw new Problem(404, 'unknown_model', `no pool serves '${model}'; known are ${models.join(', ')}`);
}
