import { TIERS } from '@sluice/model';
import { z } from 'zod';
import type { View } from './view.ts';

/** How far what is known of a worker's cache can be believed. */
export const confidenceSchema = z
  .enum(['live', 'incomplete', 'none'])
  .describe('live: all that the events say; incomplete: older history was lost; none: not to be believed');

/** The same of the kv-index, which also hears from the bridge whether the engine is still connected. */
export const indexedConfidenceSchema = z
  .enum([...confidenceSchema.options, 'disconnected'])
  .describe(
    "live: all that the events say; incomplete: older history was lost; disconnected: the engine's event stream is, so this is from before; none: not to be believed",
  );
export type IndexedConfidence = z.output<typeof indexedConfidenceSchema>;

/** `GET /index` of a router: its embedded replica of the prefix index. */
export const indexReplicaSchema = z.object({
  busConnected: z.boolean(),
  nodes: z.number(),
  memberships: z.number().describe('Pairs of a node and a worker that holds it'),
  speculative: z.number().describe('Of those, entered when a prompt was routed and not yet confirmed'),
  evictedNodes: z.number(),
  bytes: z.number(),
  pools: z.array(
    z.object({
      pool: z.string(),
      tokenizer: z.string().nullable(),
      exact: z.boolean().describe('Prompts are rendered as the engine tokenises them'),
      reason: z.string().describe('Why they are not; empty when they are'),
      bytesPerToken: z.number(),
      meanOutputTokens: z.number(),
    }),
  ),
  workers: z.array(
    z.object({
      worker: z.string(),
      pool: z.string(),
      confidence: confidenceSchema,
      epoch: z.number().nullable(),
      seq: z.number().nullable().describe('Last batch applied'),
      blocks: z.number(),
      idleMs: z.number().nullable().describe('Since the last batch was applied'),
    }),
  ),
});
export type IndexReplica = View<typeof indexReplicaSchema>;

/** `POST /render` of a router: the prompt of a request as the engine tokenises it. */
export const renderedPromptSchema = z.object({
  pool: z.string(),
  exact: z.boolean(),
  reason: z.string(),
  bytes: z.number(),
  text: z.string().describe('The bytes as UTF-8'),
  base64: z.string().describe('The bytes themselves'),
  promptTokens: z.number().describe('Exact where the index knows the prompt, estimated for the rest'),
  workers: z.array(z.object({ worker: z.string(), cachedTokens: z.number() })),
});
export type RenderedPrompt = View<typeof renderedPromptSchema>;

/** `GET /workers/ID` of the kv-index. */
export const indexedWorkerSchema = z.object({
  worker: z.string(),
  pool: z.string(),
  confidence: indexedConfidenceSchema,
  epoch: z.number().nullable(),
  seq: z.number().int().nullable().describe('Last batch applied'),
  blocks: z.object(Object.fromEntries(TIERS.map((tier) => [tier, z.number().int()]))),
  lagMs: z.number().nullable().describe('Engine clock to application, last batch'),
  idleMs: z.number().nullable().describe('Since the last batch was applied'),
});
export type IndexedWorker = View<typeof indexedWorkerSchema>;

/** `GET /workers` of the kv-index. */
export const indexedWorkersSchema = z.object({ workers: z.array(indexedWorkerSchema) });
export type IndexedWorkers = View<typeof indexedWorkersSchema>;

/** `GET /workers/ID/blocks` of the kv-index. */
export const indexedBlocksSchema = z.object({
  worker: z.string(),
  confidence: indexedConfidenceSchema,
  epoch: z.number().nullable(),
  seq: z.number().int().nullable().describe('Pages with different positions are of different instants'),
  total: z.number().int(),
  next: z.number().int().nullable().describe('Offset of the next page'),
  blocks: z.array(
    z.object({
      key: z.string().describe('16 hex digits'),
      parent: z.string(),
      spanBytes: z.number().int(),
      tokens: z.number().int(),
      tiers: z.array(z.enum(TIERS)),
    }),
  ),
});
export type IndexedBlocks = View<typeof indexedBlocksSchema>;

/** `POST /lookup` of the kv-index. */
export const indexLookupSchema = z.object({
  kind: z.literal('matches'),
  pool: z.string(),
  promptBytes: z.number().int(),
  workers: z.array(
    z.object({
      worker: z.string(),
      cachedTokens: z.number(),
      cachedBytes: z.number().int(),
      confidence: indexedConfidenceSchema,
    }),
  ),
});
export type IndexLookup = View<typeof indexLookupSchema>;

/** `GET /stats` of the kv-index. */
export const indexStatsSchema = z.object({
  index: z.object({
    nodes: z.number().int(),
    placeholders: z.number().int(),
    memberships: z.number().int(),
    speculative: z.number().int(),
    evictedNodes: z.number().int(),
    truncatedMatches: z.number().int(),
    bytes: z.number().int(),
  }),
  batches: z.object({
    applied: z.number().int(),
    stale: z.number().int(),
    gaps: z.number().int(),
    resyncs: z.number().int(),
    snapshotPages: z.number().int().describe('Pages read'),
    snapshotPagesServed: z.number().int(),
  }),
  pendingWrites: z.number().int().describe('Workers whose changes are not in the store yet'),
});
export type IndexStats = View<typeof indexStatsSchema>;
