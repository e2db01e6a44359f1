import { Body, Controller, Get, Inject, Put } from '@nestjs/common';
import { shadowViewSchema } from '@sluice/contracts';
import type { ShadowReport } from '@sluice/contracts';
import { Operation, refuseUnlessInForce, zodBody } from '@sluice/nest-kit';
import { POLICY_IDS } from '@sluice/routing';
import { z } from 'zod';
import type { Router } from '../router.ts';
import { ROUTER } from './token.ts';

const shadowBody = z.strictObject({
  policies: z.array(z.string()),
  sample: z.number().min(0).max(1).optional().describe('Share of the decisions; absent: as it was'),
});
/** What other policies would have done with live traffic. */
@Controller()
export class ShadowController {
  readonly #router: Router;

  constructor(@Inject(ROUTER) router: Router) {
    this.#router = router;
  }

  @Get('shadow')
  @Operation({
    summary:
      'Shadow policies: agreement with the decisions made and mean predicted regret, since they or the policy changed',
    reply: shadowViewSchema,
  })
  shadow(): ShadowReport {
    const { shadows, fleet } = this.#router;
    const pools = [...fleet.pools.values()].flatMap((pool) => {
      const known = shadows.talliesOf(pool);
      if (known === null) return [];
      return [{ pool: pool.id, against: known.against, shadows: known.tallies.map(tallyView) }];
    });
    return { policies: shadows.ids, sample: shadows.sample, known: POLICY_IDS, pools };
  }

  @Put('shadow')
  @Operation({
    summary: 'Other shadow policies: the same as overrides of ROUTER_SHADOW_POLICIES and ROUTER_SHADOW_SAMPLE',
    body: shadowBody,
    reply: shadowViewSchema,
  })
  async setShadow(@Body() body: unknown): Promise<ShadowReport> {
    const { policies, sample } = zodBody(shadowBody, body);
    const settings = {
      ROUTER_SHADOW_POLICIES: policies,
      ...(sample !== undefined && { ROUTER_SHADOW_SAMPLE: sample }),
    };
    refuseUnlessInForce(await this.#router.settings.patch(settings, null, 'PUT /shadow'));
    return this.shadow();
  }
}

type Tally = NonNullable<ReturnType<Router['shadows']['talliesOf']>>['tallies'][number];

const tallyView = ({ policy, decisions, agreed, compared, meanTtftRegretMs, meanE2eRegretMs }: Tally) => ({
  policy,
  decisions,
  agreed,
  agreement: decisions === 0 ? null : agreed / decisions,
  compared,
  meanTtftRegretMs: compared === 0 ? null : meanTtftRegretMs,
  meanE2eRegretMs: compared === 0 ? null : meanE2eRegretMs,
});
