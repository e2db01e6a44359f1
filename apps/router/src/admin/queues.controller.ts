import { Controller, Get, Inject } from '@nestjs/common';
import { queuesViewSchema } from '@sluice/contracts';
import type { QueuesView } from '@sluice/contracts';
import { Operation } from '@sluice/nest-kit';
import type { Router } from '../router.ts';
import { ROUTER } from './token.ts';

/** Who waits for what. */
@Controller()
export class QueuesController {
  readonly #router: Router;

  constructor(@Inject(ROUTER) router: Router) {
    this.#router = router;
  }

  @Get('queues')
  @Operation({
    summary: 'Requests held by pool: bands, tenants, and the workers that they wait for',
    reply: queuesViewSchema,
  })
  queues(): QueuesView {
    return {
      pools: [...this.#router.fleet.pools.values()].map(({ id, flow, workers }) => ({
        pool: id,
        requests: flow.held,
        bytes: flow.heldBytes,
        maxRequests: flow.options.maxRequests,
        maxBytes: flow.options.maxBytes,
        retryAfterMs: flow.retryAfterMs(-Infinity),
        bands: flow.queues(),
        workers: [...workers.values()].map(({ spec, line }) => ({
          worker: spec.id,
          running: line.running,
          held: line.held,
        })),
      })),
    };
  }
}
