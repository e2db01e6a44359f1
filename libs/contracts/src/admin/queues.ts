import { z } from 'zod';
import type { View } from './view.ts';

/** `GET /queues` of a router: who waits for what. */
export const queuesViewSchema = z.object({
  pools: z.array(
    z.object({
      pool: z.string(),
      requests: z.number().describe('Held at present'),
      bytes: z.number(),
      maxRequests: z.number(),
      maxBytes: z.number(),
      retryAfterMs: z.number().describe('Until what is held has gone, as far as is known'),
      bands: z.array(
        z.object({
          priority: z.number().describe('Lowest priority of the band'),
          requests: z.number(),
          bytes: z.number(),
          tenants: z.array(
            z.object({
              tenant: z.string(),
              weight: z.number(),
              held: z.number(),
              running: z.number(),
              servedTokens: z.number(),
            }),
          ),
        }),
      ),
      workers: z.array(z.object({ worker: z.string(), running: z.number(), held: z.number() })),
    }),
  ),
});
export type QueuesView = View<typeof queuesViewSchema>;
