import { z } from 'zod';
import type { View } from './view.ts';

const known = () => z.number().nullable();

/** A worker as a decision saw it; numbers that are not known are null. */
export const decisionCandidateSchema = z.object({
  worker: z.string(),
  up: z.boolean(),
  keptForOthers: z.boolean().describe('Up, but not to be chosen: flow control kept it from a tenant that floods'),
  cost: known().describe("What is compared, in the decision's unit; null when it was not considered"),
  terms: z.record(z.string(), known()).describe('What the cost is made of'),
  cachedTokens: known().describe('Of the prompt, what its cache holds'),
  predictedTtftMs: known(),
  predictedTpotMs: known(),
  inflightRequests: known(),
  queuedPrefillTokens: known().describe('Uncached prompt tokens that wait for their prefill'),
  decodesRunning: known(),
  siblingRequests: known().describe('Of those in flight, what sibling routers have sent'),
  siblingQueuedPrefillTokens: known(),
  waitingRequests: known().describe('By the engine itself, when it was last read'),
  kvUsage: known().describe('Share of its KV cache in use, 0 to 1'),
  signalAgeMs: known().describe('Since the engine was last read'),
});
export type DecisionCandidate = View<typeof decisionCandidateSchema>;

/** What a shadow policy would have done. */
export const decisionShadowSchema = z.object({
  policy: z.string(),
  worker: z.string().nullable().describe('Its pick; null when it picked none'),
  agrees: z.boolean(),
  ttftMs: known().describe('Predicted for its pick'),
  e2eMs: known(),
  ttftRegretMs: known().describe('Predicted for its pick less predicted for the real one'),
  e2eRegretMs: known(),
});
export type DecisionShadow = View<typeof decisionShadowSchema>;

/** What came of a decision. */
export const decisionOutcomeSchema = z.object({
  result: z.string(),
  status: known().describe('HTTP status of the engine; null when it gave none'),
  cause: z.string().nullable(),
  promptTokens: known().describe("By the engine's usage, as cached tokens"),
  cachedTokens: known(),
  outputTokens: z.number(),
  ttftMs: known().describe('From the dispatch, as TPOT and E2E'),
  tpotMs: known(),
  e2eMs: z.number().describe('0 for a request that was never sent'),
  queuedMs: z
    .number()
    .describe(
      'From the arrival to the dispatch, or to the end without one: held for its turn, and attempts before this one',
    ),
  heldMs: z.number().describe('Of that, since this decision'),
  ttftErrorMs: known().describe('TTFT from the decision less what was predicted'),
  ttftRegretMs: known().describe('The same less the lowest prediction of any worker'),
});
export type DecisionOutcome = View<typeof decisionOutcomeSchema>;

/** `GET /decisions/ID` of a router: why one attempt of a request went where it went, and what came of it. */
export const decisionRecordSchema = z.object({
  id: z.string().describe('x-sluice-decision-id of the answer'),
  atMs: z.number().describe('Milliseconds since the Unix epoch'),
  pool: z.string(),
  model: z.string().nullable().describe('As asked for; null when the request named none'),
  api: z.string(),
  policy: z.string(),
  basis: z.string().describe('The policy that decided: another than asked when that one had to degrade'),
  unit: z.string().describe('Unit of cost and terms'),
  promptBytes: z.number(),
  exactPrompt: z.boolean().describe('Whether the prompt is exactly what the engine tokenises'),
  promptTokens: z.number(),
  expectedOutputTokens: z.number(),
  retryOf: z.string().nullable().describe('Decision that this one repeats on another worker'),
  movedFrom: z.string().nullable().describe('Decision by which the request was held for another worker before'),
  followedBy: z.string().nullable().describe('Decision that repeats this one or moved its request on'),
  level: z
    .object({ tenant: z.string(), priority: z.number(), ttftSloMs: known(), tpotSloMs: known(), deadlineMs: known() })
    .describe('What the request asked for; null: unconstrained'),
  traceId: z.string().nullable().describe('Trace of the request, for `GET /traces/ID`; null: it was not sampled'),
  worker: z.string().describe('The one chosen'),
  tieCost: known().describe('Candidates that cost this or less tied with the cheapest; null when none had a cost'),
  candidates: z.array(decisionCandidateSchema),
  shadows: z.array(decisionShadowSchema).describe('What shadow policies would have done; empty: not asked'),
  outcome: decisionOutcomeSchema.nullable().describe('Null until there is one'),
});
export type DecisionRecord = View<typeof decisionRecordSchema>;

/** `GET /decisions` of a router, newest first. */
export const decisionsSchema = z.object({ decisions: z.array(decisionRecordSchema) });
export type Decisions = View<typeof decisionsSchema>;
