import { Controller, Get, Inject } from '@nestjs/common';
import { Operation } from '@sluice/nest-kit';
import { z } from 'zod';
import type { Router } from '../router.ts';
import { ROUTER } from './token.ts';

const siblingsSchema = z.object({
  router: z
    .string()
    .describe('Name of this life of this router: what siblings call it, and how its decision ids begin'),
  busConnected: z.boolean().describe('Without a bus siblings cannot be heard and expire'),
  pools: z.array(
    z.object({
      pool: z.string(),
      siblings: z.array(
        z.object({
          router: z.string(),
          knownForMs: z.number(),
          silentForMs: z.number().describe('Since its last message'),
          lostMessages: z.number().describe('That never came, by gaps in their numbers'),
          workers: z.number().describe('Workers with requests of it'),
          inFlight: z.record(z.string(), z.number()).describe('Sum over the workers, by its last messages'),
        }),
      ),
    }),
  ),
});

/** The other routers of the fleet. */
@Controller()
export class SiblingsController {
  readonly #router: Router;

  constructor(@Inject(ROUTER) router: Router) {
    this.#router = router;
  }

  @Get('siblings')
  @Operation({ summary: 'Sibling routers by pool, and what each has in flight', reply: siblingsSchema })
  siblings(): z.output<typeof siblingsSchema> {
    const { siblings, bus, now } = this.#router;
    const nowMs = now();
    return {
      router: siblings.router,
      busConnected: bus.state() === 'connected',
      pools: siblings
        .views()
        .map(({ pool, siblings: heard }) => ({
          pool,
          siblings: heard.map(({ router, joinedAtMs, heardAtMs, lostMessages, workers, inFlight }) => ({
            router,
            knownForMs: nowMs - joinedAtMs,
            silentForMs: nowMs - heardAtMs,
            lostMessages,
            workers,
            inFlight: { ...inFlight },
          })),
        })),
    };
  }
}
