import { Controller, Get, Inject } from '@nestjs/common';
import { Operation } from '@sluice/nest-kit';
import { z } from 'zod';
import type { Router } from '../router.ts';
import { ROUTER } from './token.ts';

const queuesSchema = z.object({
  pools: z.array(
    z.object({
      pool: z.string(),
      requests: z.number().describe('Held at present'),
      bytes: z.number(),
      maxRequests: z.number(),
      maxBytes: z.number(),
      retryAfterMs: z.number().describe('Until what is held has gone, as far as is known'),
      bands: z.array(
        z.object({
          priority: z.number().describe('Lowest priority of the band'),
          requests: z.number(),
          bytes: z.number(),
          tenants: z.array(
            z.object({
              tenant: z.string(),
              weight: z.number(),
              held: z.number(),
              running: z.number(),
              servedTokens: z.number(),
            }),
          ),
        }),
      ),
      workers: z.array(z.object({ worker: z.string(), running: z.number(), held: z.number() })),
    }),
  ),
});

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
    reply: queuesSchema,
  })
  queues(): z.output<typeof queuesSchema> {
    return {
      pools: [...this.#router.fleet.pools.values()].map(({ id, flow, workers }) => ({
        pool: id,
        requests: flow.held,
        bytes: flow.heldBytes,
        maxRequests: flow.options.maxRequests,
        maxBytes: flow.options.maxBytes,
        retryAfterMs: flow.retryAfterMs(-Infinity),
        bands: flow.queues().map((band) => ({ ...band, tenants: [...band.tenants] })),
        workers: [...workers.values()].map(({ spec, line }) => ({
          worker: spec.id,
          running: line.running,
          held: line.held,
        })),
      })),
    };
  }
}
