import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { Operation, Problem, zodBody } from '@sluice/nest-kit';
import { z } from 'zod';
import { parseRequest } from '../request/parse-request.ts';
import type { Router } from '../router.ts';
import { ROUTER } from './token.ts';
import { renderedSchema } from './views.ts';

const listQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(10_000).default(50) });
const decisionSchema = z.looseObject({
  id: z.string(),
  atMs: z.number(),
  pool: z.string(),
  model: z.string().nullable(),
  policy: z.string(),
  basis: z.string().describe('The policy that decided: another than asked when that one had to degrade'),
  unit: z.string().describe('Unit of cost and terms'),
  worker: z.string(),
  tieCost: z.number().nullable().describe('Candidates that cost this or less tied with the cheapest'),
  retryOf: z.string().nullable().describe('Decision that this one repeats on another worker'),
  movedFrom: z.string().nullable().describe('Decision by which the request was held for another worker before'),
  followedBy: z.string().nullable().describe('Decision that repeats this one or moved its request on'),
  candidates: z.array(
    z.looseObject({
      worker: z.string(),
      up: z.boolean(),
      cachedTokens: z.number().nullable(),
      predictedTtftMs: z.number().nullable(),
      predictedTpotMs: z.number().nullable(),
      cost: z.number().nullable().describe('What is compared; null when it was not considered'),
      terms: z.record(z.string(), z.number().nullable()),
    }),
  ),
  shadows: z
    .array(z.looseObject({ policy: z.string(), worker: z.string().nullable(), agrees: z.boolean() }))
    .describe('What shadow policies would have done; empty when they were not asked'),
  outcome: z
    .looseObject({
      result: z.string(),
      ttftErrorMs: z.number().nullable().describe('TTFT from the decision less what was predicted'),
      ttftRegretMs: z.number().nullable().describe('The same less the lowest prediction of any worker'),
    })
    .nullable(),
});
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
    reply: z.object({ decisions: z.array(decisionSchema) }),
  })
  decisions(@Query() query: unknown) {
    return { decisions: this.#router.decisions.last(zodBody(listQuery, query).limit) };
  }

  @Get('decisions/:id')
  @Operation({ summary: 'One decision, by the x-sluice-decision-id of its answer', reply: decisionSchema })
  decision(@Param('id') id: string) {
    const decision = this.#router.decisions.get(id);
    if (decision === null) throw new Problem(404, 'not_found', `decision '${id}' is not, or no longer, in the log`);
    return decision;
  }

  @Post('render')
  @HttpCode(200)
  @Operation({
    summary: 'The prompt that a chat or completion request renders to, and what each worker holds of it',
    body: renderBody,
    reply: renderedSchema,
  })
  render(@Body() body: unknown) {
    const json = zodBody(renderBody, body);
    const api = json['messages'] === undefined ? 'completions' : 'chat';
    const parsed = parseRequest(api, Buffer.from(JSON.stringify(json)), null);
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
