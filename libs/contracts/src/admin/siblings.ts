import { z } from 'zod';
import type { View } from './view.ts';

/** `GET /siblings` of a router: the other routers of the fleet. */
export const siblingsViewSchema = z.object({
  router: z
    .string()
    .describe('Name of this life of this router: what siblings call it, and how its decision ids begin'),
  busConnected: z.boolean().describe('Without a bus siblings cannot be heard and expire'),
  pools: z.array(
    z.object({
      pool: z.string(),
      siblings: z.array(
        z.object({
          router: z.string(),
          knownForMs: z.number(),
          silentForMs: z.number().describe('Since its last message'),
          lostMessages: z.number().describe('That never came, by gaps in their numbers'),
          workers: z.number().describe('Workers with requests of it'),
          inFlight: z.record(z.string(), z.number()).describe('Sum over the workers, by its last messages'),
        }),
      ),
    }),
  ),
});
export type SiblingsView = View<typeof siblingsViewSchema>;
