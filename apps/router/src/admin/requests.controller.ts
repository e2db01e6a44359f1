import { Controller, Get, Inject, Query } from '@nestjs/common';
import { requestOrderSchema, requestsSchema } from '@sluice/contracts';
import type { Requests } from '@sluice/contracts';
import { Operation, zodBody } from '@sluice/nest-kit';
import { z } from 'zod';
import { listRequests } from '../decision/request-list.ts';
import type { Router } from '../router.ts';
import { ROUTER } from './token.ts';

const only = () => z.string().nullable().default(null);
const requestsQuery = z.strictObject({
  by: requestOrderSchema.default('newest'),
  limit: z.coerce.number().int().min(1).max(10_000).default(10),
  pool: only(),
  worker: only(),
  tenant: only(),
  result: only().describe('How they ended: completed, rejected, upstream-error, client-abort, overload, no-worker'),
  within: z.coerce.number().positive().nullable().default(null).describe('Decided in the last so many seconds'),
});

/** Which of the last requests were the slowest, or the worst predicted. */
@Controller()
export class RequestsController {
  readonly #router: Router;

  constructor(@Inject(ROUTER) router: Router) {
    this.#router = router;
  }

  @Get('requests')
  @Operation({
    summary: 'Requests whose decisions are still known: newest first, or the largest first of a number',
    query: requestsQuery,
    reply: requestsSchema,
  })
  requests(@Query() query: unknown): Requests {
    const { within, ...asked } = zodBody(requestsQuery, query);
    const kept = [...this.#router.decisions.requests()];
    const fromMs = within === null ? null : this.#router.now() - within * 1000;
    return {
      requests: listRequests(kept, { ...asked, fromMs }),
      keptRequests: kept.length,
      sinceMs: kept.at(-1)?.atMs ?? null,
    };
  }
}
