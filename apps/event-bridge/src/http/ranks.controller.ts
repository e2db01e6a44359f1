import { Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { Operation, Problem } from '@sluice/nest-kit';
import { z } from 'zod';
import type { Bridge, RankView } from '../bridge.ts';

/** Token of the {@link Bridge} that the admin API speaks for. */
export const BRIDGE = Symbol('bridge');

const rankSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('unread'), worker: z.string(), pool: z.string(), reason: z.string() }),
  z.object({
    state: z.enum(['waiting', 'live', 'incomplete']).describe('incomplete: history was lost, blocks may be missing'),
    worker: z.string(),
    pool: z.string(),
    epoch: z.number(),
    seq: z.number().describe('Batches published in this epoch'),
    engineSeq: z.number().describe("The engine's last sequence number taken; -1 before the first"),
    blocks: z.number(),
    lagMs: z.number(),
    counters: z.record(z.string(), z.number()),
  }),
]);
const resyncSchema = z.object({ worker: z.string(), requested: z.literal(true) });

/** State of every rank's event stream. */
@Controller('ranks')
export class RanksController {
  readonly #bridge: Bridge;

  constructor(@Inject(BRIDGE) bridge: Bridge) {
    this.#bridge = bridge;
  }

  @Get()
  @Operation({ summary: 'Feed state and counters of every worker', reply: z.object({ ranks: z.array(rankSchema) }) })
  ranks(): { ranks: z.output<typeof rankSchema>[] } {
    return { ranks: this.#bridge.ranks().map(rankOf) };
  }

  @Post(':worker/resync')
  @HttpCode(202)
  @Operation({ summary: 'Opens a new epoch of a worker and publishes all it holds', reply: resyncSchema, status: 202 })
  resync(@Param('worker') worker: string): z.output<typeof resyncSchema> {
    if (!this.#bridge.resync(worker)) throw new Problem(404, 'unknown_worker', `no events of '${worker}' are read`);
    return { worker, requested: true };
  }
}

function rankOf(view: RankView): z.output<typeof rankSchema> {
  const { id: worker, pool } = view.worker;
  if (view.kind === 'unread') return { state: 'unread', worker, pool, reason: view.reason };
  const { reader } = view;
  return {
    state: reader.state,
    worker,
    pool,
    epoch: reader.epoch,
    seq: reader.seq,
    engineSeq: reader.engineSeq,
    blocks: reader.table.blocks,
    lagMs: reader.lagMs,
    counters: { ...reader.counters, ...reader.table.counters },
  };
}
