import { z } from 'zod';
import { regimeFactorsSchema, stepParametersSchema } from '../outcome.ts';
import type { View } from './view.ts';

const predictionErrors = z.object({
  samples: z.number().int(),
  mape: z.number().nullable().describe('Mean relative error of recent predictions, one step ahead'),
  coverage: z.number().nullable().describe('Share of recent outcomes within prediction times tail factor'),
});

/** `GET /variants/POOL/VARIANT` of the latency-predictor. */
export const variantViewSchema = z.object({
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
  errors: z.object({ ttft: predictionErrors, tpot: predictionErrors }),
});
export type VariantView = View<typeof variantViewSchema>;

/** `GET /variants` of the latency-predictor. */
export const variantsViewSchema = z.object({
  publishedVersion: z.number().int(),
  variants: z.array(variantViewSchema),
});
export type VariantsView = View<typeof variantsViewSchema>;

/** `GET /predict` of the latency-predictor. */
export const latencyPredictionSchema = z.object({
  samples: z.number().int().describe('Outcomes behind the prediction; 0 means it is the prior'),
  regime: z
    .enum(['idle', 'loaded', 'queued', 'full'])
    .describe('What the request meets, which decides how far predictions are off'),
  ttftMs: z.number(),
  tpotMs: z.number(),
  e2eMs: z.number(),
  ttftP90Ms: z.number(),
  tpotP90Ms: z.number(),
});
export type LatencyPrediction = View<typeof latencyPredictionSchema>;
