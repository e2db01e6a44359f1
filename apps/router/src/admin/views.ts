import type { Candidates } from '@sluice/model';
import { z } from 'zod';
import type { Pool } from '../fleet/pool.ts';
import type { Worker } from '../fleet/worker.ts';
import type { Router } from '../router.ts';

const numbers = <const K extends string>(...names: readonly K[]) =>
  Object.fromEntries(names.map((name) => [name, z.number()])) as Record<K, z.ZodNumber>;

/** Columns of the table that are shown as they are. */
const SHOWN = [
  'waitingRequests',
  'runningRequests',
  'kvUsage',
  'kvCapacityTokens',
  'inflightRequests',
  'queuedPrefillTokens',
  'prefilledTokens',
  'decodesRunning',
  'decodeContextTokens',
  'heldKvTokens',
  'expectedGrowthTokens',
  'siblingRequests',
  'siblingQueuedPrefillTokens',
] as const satisfies readonly (keyof Candidates)[];

export const workerSchema = z.object({
  worker: z.string(),
  pool: z.string(),
  url: z.string(),
  dpRank: z.number().nullable(),
  role: z.string(),
  variant: z.string(),
  up: z.boolean(),
  state: z.enum(['unknown', 'up', 'down']),
  reason: z.string().describe('Why it is not up; empty when it is'),
  sinceMs: z.number().describe('When the state was entered, milliseconds since the Unix epoch'),
  scrapeErrors: z.number(),
  prefixes: z.enum(['live', 'incomplete', 'approximate']).describe('How what it holds is known'),
  signalAgeMs: z.number().nullable(),
  blockTokens: z.number().nullable(),
  ...numbers(...SHOWN),
  step: z.record(z.string(), z.number()).describe('Latency parameters in force'),
});

/** A worker with its row of the table. */
export function workerView(router: Router, worker: Worker): z.output<typeof workerSchema> {
  const { spec, pool, engine } = worker;
  const row = pool.table.row(spec.id);
  pool.table.ageSignals(router.now());
  const { columns } = pool.table;
  const ageMs = columns.signalAgeMs[row]!;
  const shown = Object.fromEntries(SHOWN.map((name) => [name, columns[name][row]!]));
  return {
    worker: spec.id,
    pool: spec.pool,
    url: spec.url,
    dpRank: spec.dpRank,
    role: spec.role,
    variant: spec.variant,
    up: columns.up[row] === 1,
    state: engine.health.state,
    reason: engine.health.reason,
    sinceMs: engine.health.sinceMs,
    scrapeErrors: engine.scrapeErrors,
    prefixes: prefixesOf(router, worker),
    signalAgeMs: Number.isFinite(ageMs) ? ageMs : null,
    blockTokens: worker.blockTokens,
    ...(shown as Record<(typeof SHOWN)[number], number>),
    step: { ...columns.step[row]! },
  };
}

function prefixesOf(router: Router, worker: Worker): 'live' | 'incomplete' | 'approximate' {
  if (!router.prefix.hasEvents(worker)) return 'approximate';
  return router.feed.confidence(worker.spec.id) === 'incomplete' ? 'incomplete' : 'live';
}

export const indexSchema = z.object({
  busConnected: z.boolean(),
  nodes: z.number(),
  memberships: z.number(),
  speculative: z.number(),
  evictedNodes: z.number(),
  bytes: z.number(),
  pools: z.array(
    z.object({
      pool: z.string(),
      tokenizer: z.string().nullable(),
      exact: z.boolean().describe('Prompts are rendered as the engine tokenises them'),
      reason: z.string().describe('Why they are not; empty when they are'),
      bytesPerToken: z.number(),
      meanOutputTokens: z.number(),
    }),
  ),
  workers: z.array(
    z.object({
      worker: z.string(),
      pool: z.string(),
      confidence: z.enum(['live', 'incomplete', 'none']),
      epoch: z.number().nullable(),
      seq: z.number().nullable(),
      blocks: z.number(),
      /** Milliseconds since the last batch was applied. */
      idleMs: z.number().nullable(),
    }),
  ),
});

/** State of the embedded replica. */
export function indexView(router: Router): z.output<typeof indexSchema> {
  const { nodes, memberships, speculative, evictedNodes, bytes } = router.prefix.stats();
  return {
    busConnected: router.bus.state() === 'connected',
    nodes,
    memberships,
    speculative,
    evictedNodes,
    bytes,
    pools: [...router.fleet.pools.values()].map(poolView),
    workers: [...router.fleet.workers()].map(({ spec }) => {
      const position = router.feed.position(spec.id);
      const appliedAtMs = router.feed.appliedAtMs(spec.id);
      return {
        worker: spec.id,
        pool: spec.pool,
        confidence: router.feed.confidence(spec.id),
        epoch: position?.epoch ?? null,
        seq: position?.seq ?? null,
        blocks: router.prefix.index.held(router.prefix.row(spec.id), 0),
        idleMs: Number.isFinite(appliedAtMs) ? router.now() - appliedAtMs : null,
      };
    }),
  };
}

const poolView = (pool: Pool) => ({
  pool: pool.id,
  tokenizer: pool.spec.tokenizer,
  exact: pool.kit !== null,
  reason: pool.kit === null ? pool.kitReason : '',
  bytesPerToken: pool.learned.bytesPerToken,
  meanOutputTokens: pool.learned.meanOutputTokens,
});

export const renderedSchema = z.object({
  pool: z.string(),
  exact: z.boolean(),
  reason: z.string(),
  bytes: z.number(),
  text: z.string().describe('The bytes as UTF-8'),
  base64: z.string().describe('The bytes themselves'),
  promptTokens: z.number().describe('Exact where the index knows the prompt, estimated for the rest'),
  workers: z.array(z.object({ worker: z.string(), cachedTokens: z.number() })),
});

/** Configuration as it may be shown: passwords in URLs are hidden. */
export function configView(router: Router): Record<string, unknown> {
  const { redisUrl, natsServers, ...rest } = router.config;
  return { ...rest, redisUrl: redacted(redisUrl), natsServers: natsServers.map(redacted) };
}

function redacted(url: string): string {
  const parsed = new URL(url);
  if (parsed.password !== '') parsed.password = '***';
  return parsed.toString();
}
