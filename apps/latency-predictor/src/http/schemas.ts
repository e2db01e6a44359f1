import { regimeFactorsSchema, stepParametersSchema } from '@sluice/contracts';
import { REGIMES } from '@sluice/latency-model';
import { z } from 'zod';

const errors = z.object({
  samples: z.number().int(),
  mape: z.number().nullable().describe('Mean relative error of recent predictions, one step ahead'),
  coverage: z.number().nullable().describe('Share of recent outcomes within prediction times tail factor'),
});

export const variantReply = z.object({
  pool: z.string(),
  variant: z.string(),
  prior: z.string().describe('Profile that it started from'),
  samples: z.number().int().describe('Outcomes learned from; 0 means the prior is in force'),
  updatedAt: z.string().nullable(),
  step: stepParametersSchema,
  ttftTailFactor: z.number(),
  tpotTailFactor: z.number(),
  regimes: regimeFactorsSchema.describe('Factors on what the step constants predict, by what a request meets'),
  workerBias: z.record(z.string(), z.number()),
  meanOutputTokens: z.number(),
  bytesPerToken: z.number(),
  errors: z.object({ ttft: errors, tpot: errors }),
});
export type VariantReply = z.output<typeof variantReply>;
export const variantsReply = z.object({ publishedVersion: z.number().int(), variants: z.array(variantReply) });

const count = (fallback: number) => z.coerce.number().min(0).max(1e8).default(fallback);

export const predictQuery = z.strictObject({
  pool: z.string(),
  variant: z.string(),
  worker: z.string().optional(),
  promptTokens: z.coerce.number().min(1).max(1e8),
  cachedTokens: count(0),
  outputTokens: z.coerce.number().min(1).max(1e8).optional().describe('Default: the learned mean'),
  queuedPrefillTokens: count(0),
  prefilledTokens: count(0).describe('Done of the first of the queued requests, and not in queuedPrefillTokens'),
  decodesRunning: count(0),
  decodeContextTokens: count(0),
  inflightRequests: z.coerce.number().min(0).max(1e8).optional().describe('Default: decodesRunning'),
  kvForecast: z.coerce.number().min(0).max(100).default(0).describe('Share of the KV cache in use with this request'),
});
export const predictReply = z.object({
  samples: z.number().int().describe('Outcomes behind the prediction; 0 means it is the prior'),
  regime: z.enum(REGIMES).describe('What the request meets, which decides how far predictions are off'),
  ttftMs: z.number(),
  tpotMs: z.number(),
  e2eMs: z.number(),
  ttftP90Ms: z.number(),
  tpotP90Ms: z.number(),
});
