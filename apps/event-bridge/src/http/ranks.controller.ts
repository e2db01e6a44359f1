import { Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ranksViewSchema } from '@sluice/contracts';
import type { RanksView, RankState } from '@sluice/contracts';
import { Operation, Problem } from '@sluice/nest-kit';
import { z } from 'zod';
import type { Bridge, RankView } from '../bridge.ts';

/** Token of the {@link Bridge} that the admin API speaks for. */
export const BRIDGE = Symbol('bridge');

const resyncSchema = z.object({ worker: z.string(), requested: z.literal(true) });

/** State of every rank's event stream. */
@Controller('ranks')
export class RanksController {
  readonly #bridge: Bridge;

  constructor(@Inject(BRIDGE) bridge: Bridge) {
    this.#bridge = bridge;
  }

  @Get()
  @Operation({ summary: 'Feed state and counters of every worker', reply: ranksViewSchema })
  ranks(): RanksView {
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

function rankOf(view: RankView): RankState {
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
