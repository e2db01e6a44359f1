import { TIERS } from '@sluice/model';
import { z } from 'zod';

const confidence = z
  .enum(['live', 'incomplete', 'none'])
  .describe('live: all that the events say; incomplete: older history was lost; none: not to be believed');

export const lookupBody = z
  .strictObject({
    model: z.string(),
    prompt: z.string().optional().describe('Rendered prompt: exactly the text that the engine tokenises'),
    messages: z.array(z.unknown()).min(1).optional().describe('Chat, rendered with the template of the pool'),
    tools: z.array(z.unknown()).optional(),
    cacheSalt: z.string().nullable().default(null),
  })
  .refine((body) => (body.prompt === undefined) !== (body.messages === undefined), {
    error: 'give either prompt or messages',
  });
export type LookupBody = z.output<typeof lookupBody>;

export const lookupReply = z.object({
  kind: z.literal('matches'),
  pool: z.string(),
  promptBytes: z.number().int(),
  workers: z.array(
    z.object({ worker: z.string(), cachedTokens: z.number(), cachedBytes: z.number().int(), confidence }),
  ),
});

export const workerReply = z.object({
  worker: z.string(),
  pool: z.string(),
  confidence,
  epoch: z.number().nullable(),
  seq: z.number().int().nullable().describe('Last batch applied'),
  blocks: z.object(Object.fromEntries(TIERS.map((tier) => [tier, z.number().int()]))),
  lagMs: z.number().nullable().describe('Engine clock to application, last batch'),
  idleMs: z.number().nullable().describe('Since the last batch was applied'),
});
export const workersReply = z.object({ workers: z.array(workerReply) });

export const MAX_BLOCKS_PER_PAGE = 10_000;
export const blocksQuery = z.strictObject({
  offset: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(MAX_BLOCKS_PER_PAGE).default(1000),
});
export const blocksReply = z.object({
  worker: z.string(),
  confidence,
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

export const statsReply = z.object({
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
export const resyncReply = z.object({ requested: z.string() });
