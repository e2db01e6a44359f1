import { Controller, Get, Inject } from '@nestjs/common';
import { siblingsViewSchema } from '@sluice/contracts';
import type { SiblingsView } from '@sluice/contracts';
import { Operation } from '@sluice/nest-kit';
import type { Router } from '../router.ts';
import { ROUTER } from './token.ts';

/** The other routers of the fleet. */
@Controller()
export class SiblingsController {
  readonly #router: Router;

  constructor(@Inject(ROUTER) router: Router) {
    this.#router = router;
  }

  @Get('siblings')
  @Operation({ summary: 'Sibling routers by pool, and what each has in flight', reply: siblingsViewSchema })
  siblings(): SiblingsView {
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
