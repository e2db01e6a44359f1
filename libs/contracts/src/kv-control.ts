import { z } from 'zod';
import { defineRequest, defineSubject } from './subject.ts';

/** Asks the bridge to open a new epoch for a worker (or all of a pool's, `worker` null) and to send all it knows. */
export const kvResync = defineSubject(
  'kv-resync.v1',
  z.strictObject({ pool: z.string(), worker: z.string().nullable(), reason: z.string() }),
);

/** State of one rank's event stream as the bridge sees it; sent on change and every few seconds. */
export const kvFeed = defineSubject(
  'kv-feed.v1',
  z.strictObject({
    pool: z.string(),
    worker: z.string(),
    /**
     * waiting: nothing received yet; disconnected: no publisher is connected, what is known is from before;
     * live: complete; incomplete: history was lost and cannot be had again.
     */
    state: z.enum(['waiting', 'disconnected', 'live', 'incomplete']),
    epoch: z.number(),
    /** Batches published in this epoch. */
    seq: z.number().int(),
    gaps: z.number().int(),
    replays: z.number().int(),
    restarts: z.number().int(),
    /** Blocks that the bridge believes the worker holds. */
    blocks: z.number().int(),
    /** Engine clock to publication, last batch. */
    lagMs: z.number(),
  }),
);

/**
 * A router found blocks of a traced request in a worker's batch: whoever handled that batch adds its part to the trace whose
 * context comes with this message. Sent for sampled requests alone.
 */
export const kvTraced = defineSubject(
  'kv-traced.v1',
  z.strictObject({ pool: z.string(), worker: z.string(), epoch: z.number(), seq: z.number().int() }),
);

/** A page of the index's own copy of one worker, as an encoded KV batch in base64 (BEGIN on the first page). */
export const kvSnapshot = defineRequest(
  'kv-snapshot.v1',
  z.strictObject({
    pool: z.string(),
    worker: z.string(),
    /** Null for the first page, then what the last reply said. */
    cursor: z.string().nullable(),
  }),
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('unknown') }),
    z.strictObject({
      kind: z.literal('page'),
      epoch: z.number(),
      /** The last batch of the epoch that the snapshot contains; the tail goes on with seq + 1. */
      seq: z.number().int(),
      incomplete: z.boolean(),
      batch: z.string(),
      cursor: z.string().nullable(),
    }),
  ]),
);

/** Which workers hold how much of a prompt. */
export const kvLookup = defineRequest(
  'kv-lookup.v1',
  z.strictObject({
    model: z.string(),
    /** The rendered prompt: exactly the text that the engine tokenises. */
    prompt: z.string(),
    cacheSalt: z.string().nullable().default(null),
  }),
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('unknown-model'), models: z.array(z.string()) }),
    z.strictObject({
      kind: z.literal('matches'),
      pool: z.string(),
      promptBytes: z.number().int(),
      workers: z.array(
        z.strictObject({
          worker: z.string(),
          cachedTokens: z.number(),
          cachedBytes: z.number().int(),
          confidence: z.enum(['live', 'incomplete', 'disconnected', 'none']),
        }),
      ),
    }),
  ]),
);
