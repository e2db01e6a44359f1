import { Body, Controller, Get, Inject, Put } from '@nestjs/common';
import { indexReplicaSchema, policyViewSchema, workersViewSchema } from '@sluice/contracts';
import type { IndexReplica, PolicyView, WorkersView } from '@sluice/contracts';
import { Operation, Problem, zodBody } from '@sluice/nest-kit';
import { POLICY_IDS } from '@sluice/routing';
import { z } from 'zod';
import type { Router } from '../router.ts';
import { ROUTER } from './token.ts';
import { configView, indexView, workerView } from './views.ts';

const policyBody = z.strictObject({ policy: z.string() });

/** Workers, policy, configuration and the embedded index. */
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
    summary: 'Switches the routing policy, until the next start',
    body: policyBody,
    reply: policyViewSchema,
  })
  setPolicy(@Body() body: unknown): PolicyView {
    const error = this.#router.fleet.setPolicy(zodBody(policyBody, body).policy);
    if (error !== null) throw new Problem(400, 'unknown_policy', error);
    this.#router.logger.info({ policy: this.#router.fleet.policyId }, 'policy switched');
    return this.policy();
  }

  @Get('config')
  @Operation({ summary: 'Configuration in force, secrets hidden' })
  config() {
    return configView(this.#router);
  }

  @Get('index')
  @Operation({ summary: 'State of the embedded prefix index, per pool and worker', reply: indexReplicaSchema })
  index(): IndexReplica {
    return indexView(this.#router);
  }
}
