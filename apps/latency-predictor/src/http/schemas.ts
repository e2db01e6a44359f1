import { z } from 'zod';

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
