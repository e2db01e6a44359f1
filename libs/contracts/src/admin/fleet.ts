import { z } from 'zod';
import { stepParametersSchema } from '../outcome.ts';
import type { View } from './view.ts';

/** A worker of the fleet as a router sees it. */
export const workerViewSchema = z.object({
  worker: z.string(),
  pool: z.string(),
  url: z.string(),
  dpRank: z.number().nullable(),
  role: z.string(),
  variant: z.string(),
  up: z.boolean().describe('Whether it is sent requests'),
  state: z.enum(['unknown', 'up', 'down']).describe('Of its engine'),
  reason: z.string().describe('Why it is not up; empty when it is'),
  sinceMs: z.number().describe('When the state was entered, milliseconds since the Unix epoch'),
  scrapeErrors: z.number(),
  prefixes: z.enum(['live', 'incomplete', 'approximate']).describe('How what it holds is known'),
  signalAgeMs: z.number().nullable().describe('Since its engine was last read; null: never'),
  blockTokens: z.number().nullable(),
  waitingRequests: z.number().describe('By the engine, as the next four'),
  runningRequests: z.number(),
  kvUsage: z.number().describe('Share of the KV cache in use, 0 to 1'),
  kvCapacityTokens: z.number(),
  inflightRequests: z.number().describe("By the routers' ledgers, as what follows"),
  queuedPrefillTokens: z.number(),
  prefilledTokens: z.number(),
  decodesRunning: z.number(),
  decodeContextTokens: z.number(),
  heldKvTokens: z.number(),
  expectedGrowthTokens: z.number(),
  siblingRequests: z.number().describe('Of those in flight, what sibling routers have sent'),
  siblingQueuedPrefillTokens: z.number(),
  step: stepParametersSchema.describe('Latency parameters in force'),
});
export type WorkerView = View<typeof workerViewSchema>;

/** `GET /workers` of a router. */
export const workersViewSchema = z.object({ fleetVersion: z.number(), workers: z.array(workerViewSchema) });
export type WorkersView = View<typeof workersViewSchema>;

/** `GET /policy` of a router. */
export const policyViewSchema = z.object({ policy: z.string(), known: z.array(z.string()) });
export type PolicyView = View<typeof policyViewSchema>;
