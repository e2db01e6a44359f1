import { z } from 'zod';
import type { View } from './view.ts';

/** `GET /shadow` of a router: what other policies would have done with live traffic. */
export const shadowViewSchema = z.object({
  policies: z.array(z.string()),
  sample: z.number().describe('Share of the decisions that they are asked about'),
  known: z.array(z.string()),
  pools: z.array(
    z.object({
      pool: z.string(),
      against: z.string().describe('The policy that decided'),
      shadows: z.array(
        z.object({
          policy: z.string(),
          decisions: z.number(),
          agreed: z.number(),
          agreement: z.number().nullable().describe('Share of the decisions in which it picked the same worker'),
          compared: z.number().describe('Decisions with predictions for both picks'),
          meanTtftRegretMs: z
            .number()
            .nullable()
            .describe('Mean of predicted TTFT of its pick less that of the real one, 0 where they are the same'),
          meanE2eRegretMs: z.number().nullable(),
        }),
      ),
    }),
  ),
});
export type ShadowReport = View<typeof shadowViewSchema>;
