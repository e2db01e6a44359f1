import { z } from 'zod';
import { defineSubject } from './subject.ts';

/** What happened to one routed request, with the state that it met: what the latency predictor learns from. */
export const routeOutcome = defineSubject(
  'outcome.v1',
  z.strictObject({
    decisionId: z.string(),
    pool: z.string(),
    variant: z.string(),
    worker: z.string(),
    /** Milliseconds since the Unix epoch. */
    startedAtMs: z.number(),
    streamed: z.boolean(),
    result: z.enum(['completed', 'client-abort', 'upstream-error', 'rejected']),
    /** From the engine's usage where it said so, else the router's estimate. */
    promptTokens: z.number(),
    /** Bytes of the rendered prompt; absent when it was not rendered. */
    promptBytes: z.number().optional(),
    outputTokens: z.number(),
    predictedCachedTokens: z.number(),
    /** From usage.prompt_tokens_details; null when the engine does not say. */
    cachedTokens: z.number().nullable(),
    /** Dispatch to first byte of content; null when nothing came or the answer was not streamed. */
    ttftMs: z.number().nullable(),
    /** Mean gap between output tokens after the first; null when fewer than two were seen. */
    tpotMs: z.number().nullable(),
    /** Dispatch to end; null when it did not complete. */
    e2eMs: z.number().nullable(),
    predictedTtftMs: z.number().nullable(),
    predictedTpotMs: z.number().nullable(),
    /** State of the worker at dispatch, without this request. */
    load: z.strictObject({
      queuedPrefillTokens: z.number(),
      decodesRunning: z.number(),
      decodeContextTokens: z.number(),
      inflightRequests: z.number(),
      kvUsage: z.number(),
      /** Of the first of the queued requests, done already and not in `queuedPrefillTokens`. */
      prefilledTokens: z.number().optional(),
      /** Share of the KV cache in use once this request's uncached tokens are in. */
      kvForecast: z.number().optional(),
    }),
    /** Prompts of others that the worker computed until the first token, and after it; absent where nobody watched. */
    beside: z
      .strictObject({
        tokensBefore: z.number(),
        pairsBefore: z.number(),
        tokensAfter: z.number(),
        pairsAfter: z.number(),
        stepsAfter: z.number(),
      })
      .optional(),
  }),
);

export const stepParametersSchema = z.strictObject({
  t0Ms: z.number(),
  twMs: z.number(),
  aMsPerToken: z.number(),
  kAttMs: z.number(),
  kKvMs: z.number(),
  kSeqMs: z.number(),
  apiBaseMs: z.number(),
  apiPerTokenMs: z.number(),
});

/** Factors on what the step constants predict, in one regime: for the least mean relative error, and to cover 90 %. */
const regimeFactors = z.strictObject({
  ttftFactor: z.number(),
  ttftTailFactor: z.number(),
  tpotFactor: z.number(),
  tpotTailFactor: z.number(),
});

export const regimeFactorsSchema = z.strictObject({
  idle: regimeFactors,
  loaded: regimeFactors,
  queued: regimeFactors,
  full: regimeFactors,
});

/** Latency parameters in force, published by the latency-predictor on change and every few seconds. */
export const latencyParameters = defineSubject(
  'latency.v1',
  z.strictObject({
    /** Larger is newer. */
    version: z.number().int(),
    variants: z.array(
      z.strictObject({
        pool: z.string(),
        variant: z.string(),
        samples: z.number().int(),
        step: stepParametersSchema,
        /** Factor on the predicted TTFT that covers 90 % of the outcomes. */
        ttftTailFactor: z.number(),
        tpotTailFactor: z.number(),
        /** By what a request meets at its worker; absent from a predictor that does not tell them apart. */
        regimes: regimeFactorsSchema.optional(),
        /** Multiplies the variant's predictions for one worker; absent workers have 1. */
        workerBias: z.record(z.string(), z.number()),
        /** Mean output tokens, exponentially weighted. */
        meanOutputTokens: z.number(),
        /** Bytes of text per prompt token, exponentially weighted. */
        bytesPerToken: z.number(),
      }),
    ),
  }),
);
