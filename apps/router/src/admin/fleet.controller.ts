import { Body, Controller, Get, Inject, Put } from '@nestjs/common';
import { indexReplicaSchema, policyViewSchema, workersViewSchema } from '@sluice/contracts';
import type { IndexReplica, PolicyView, WorkersView } from '@sluice/contracts';
import { Operation, refuseUnlessInForce, zodBody } from '@sluice/nest-kit';
import { POLICY_IDS } from '@sluice/routing';
import { z } from 'zod';
import type { Router } from '../router.ts';
import { ROUTER } from './token.ts';
import { indexView, workerView } from './views.ts';

const policyBody = z.strictObject({ policy: z.string() });

/** Workers, policy and the embedded index. */
@Controller()
export class FleetController {
  readonly #router: Router;

  constructor(@Inject(ROUTER) router: Router) {
    this.#router = router;
  }

  @Get('workers')
  @Operation({
    summary: 'Every worker with its health, signals, ledger and latency parameters',
    reply: workersViewSchema,
  })
  workers(): WorkersView {
    const { fleet } = this.#router;
    return { fleetVersion: fleet.version, workers: [...fleet.workers()].map((w) => workerView(this.#router, w)) };
  }

  @Get('policy')
  @Operation({ summary: 'The routing policy in force', reply: policyViewSchema })
  policy(): PolicyView {
    return { policy: this.#router.fleet.policyId, known: POLICY_IDS };
  }

  @Put('policy')
  @Operation({
    summary: 'Switches the routing policy: the same as an override of ROUTER_POLICY',
    body: policyBody,
    reply: policyViewSchema,
  })
  async setPolicy(@Body() body: unknown): Promise<PolicyView> {
    const { policy } = zodBody(policyBody, body);
    refuseUnlessInForce(await this.#router.settings.patch({ ROUTER_POLICY: policy }, null, 'PUT /policy'));
    return this.policy();
  }

  @Get('index')
  @Operation({ summary: 'State of the embedded prefix index, per pool and worker', reply: indexReplicaSchema })
  index(): IndexReplica {
    return indexView(this.#router);
  }
}
