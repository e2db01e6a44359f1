import { z } from 'zod';
import type { View } from './view.ts';

const known = () => z.number().nullable();

/** What requests can be ordered by: `newest`, or the largest first of a number; `error` is as far off in either direction. */
export const requestOrderSchema = z.enum(['newest', 'ttft', 'tpot', 'e2e', 'queued', 'error', 'regret']);
export type RequestOrder = z.infer<typeof requestOrderSchema>;

/** A request by the last of its decisions, without the candidates. Times are in milliseconds and as its client saw them. */
export const requestSummarySchema = z.object({
  id: z.string().describe('Of its last decision: x-sluice-decision-id of the answer'),
  atMs: z.number().describe('When that was made, milliseconds since the Unix epoch'),
  pool: z.string(),
  model: z.string().nullable(),
  tenant: z.string(),
  worker: z.string(),
  promptTokens: z
    .number()
    .describe("By the engine's usage where the answer told it, as cached tokens; else as expected"),
  cachedTokens: known(),
  result: z.string().nullable().describe('Null while it runs'),
  status: known(),
  queuedMs: known().describe('From the arrival to the dispatch, attempts before the last one included'),
  ttftMs: known().describe('From the arrival; null where the answer was not streamed'),
  predictedTtftMs: known().describe('From the decision'),
  ttftErrorMs: known().describe('TTFT from the decision less what was predicted'),
  ttftRegretMs: known().describe('The same less the lowest prediction of any worker'),
  tpotMs: known(),
  e2eMs: known().describe('From the arrival'),
});
export type RequestSummary = View<typeof requestSummarySchema>;

/** `GET /requests` of a router. */
export const requestsSchema = z.object({
  requests: z.array(requestSummarySchema),
  keptRequests: z.number().describe('How many the router still knows'),
  sinceMs: known().describe('When the oldest of those was decided, milliseconds since the Unix epoch'),
});
export type Requests = View<typeof requestsSchema>;
