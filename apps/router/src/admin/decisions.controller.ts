import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { decisionRecordSchema, decisionsSchema, renderedPromptSchema } from '@sluice/contracts';
import type { DecisionRecord, Decisions, RenderedPrompt } from '@sluice/contracts';
import { Operation, Problem, zodBody } from '@sluice/nest-kit';
import { z } from 'zod';
import { parseRequest } from '../request/parse-request.ts';
import type { Router } from '../router.ts';
import { ROUTER } from './token.ts';

const listQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(10_000).default(50) });
const renderBody = z.looseObject({});

/** Why requests went where they went. */
@Controller()
export class DecisionsController {
  readonly #router: Router;

  constructor(@Inject(ROUTER) router: Router) {
    this.#router = router;
  }

  @Get('decisions')
  @Operation({
    summary: 'The last decisions, newest first, with every candidate and its terms',
    query: listQuery,
    reply: decisionsSchema,
  })
  decisions(@Query() query: unknown): Decisions {
    return { decisions: this.#router.decisions.last(zodBody(listQuery, query).limit) };
  }

  @Get('decisions/:id')
  @Operation({ summary: 'One decision, by the x-sluice-decision-id of its answer', reply: decisionRecordSchema })
  decision(@Param('id') id: string): DecisionRecord {
    const decision = this.#router.decisions.get(id);
    if (decision === null) throw new Problem(404, 'not_found', `decision '${id}' is not, or no longer, in the log`);
    return decision;
  }

  @Post('render')
  @HttpCode(200)
  @Operation({
    summary: 'The prompt that a chat or completion request renders to, and what each worker holds of it',
    access: 'read',
    body: renderBody,
    reply: renderedPromptSchema,
  })
  render(@Body() body: unknown): RenderedPrompt {
    const json = zodBody(renderBody, body);
    const api = json['messages'] === undefined ? 'completions' : 'chat';
    const parsed = parseRequest(api, Buffer.from(JSON.stringify(json)), null, null);
    if (parsed.kind === 'problem') throw new Problem(400, 'invalid_request', parsed.problem.message);
    const { fleet, prefix, now } = this.#router;
    const pool = fleet.poolOf(parsed.request.model);
    if (pool === null) throw new Problem(404, 'unknown_model', `known models: ${fleet.models().join(', ')}`);
    const prompt = prefix.render(pool, parsed.request);
    const promptTokens = prefix.fillCachedTokens(pool, prompt, now());
    const bytes = Buffer.from(prompt.bytes);
    return {
      pool: pool.id,
      exact: prompt.exact,
      reason: prompt.reason,
      bytes: bytes.length,
      text: bytes.toString('utf8'),
      base64: bytes.toString('base64'),
      promptTokens,
      workers: pool.ids.map((worker, row) => ({ worker, cachedTokens: pool.table.columns.cachedTokens[row]! })),
    };
  }
}
