import { z } from 'zod';
import type { View } from './view.ts';

/** State of one rank's event stream at the event bridge. */
export const rankViewSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('unread'), worker: z.string(), pool: z.string(), reason: z.string() }),
  z.object({
    state: z
      .enum(['waiting', 'disconnected', 'live', 'incomplete'])
      .describe(
        'waiting: nothing received yet; disconnected: the engine is not connected, what is known is from before; incomplete: history was lost, blocks may be missing',
      ),
    worker: z.string(),
    pool: z.string(),
    epoch: z.number(),
    seq: z.number().describe('Batches published in this epoch'),
    engineSeq: z.number().describe("The engine's last sequence number taken; -1 before the first"),
    blocks: z.number(),
    lagMs: z.number(),
    counters: z.record(z.string(), z.number()),
  }),
]);
export type RankState = View<typeof rankViewSchema>;

/** `GET /ranks` of the event bridge. */
export const ranksViewSchema = z.object({ ranks: z.array(rankViewSchema) });
export type RanksView = View<typeof ranksViewSchema>;
