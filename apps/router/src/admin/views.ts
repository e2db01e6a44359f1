import type { IndexReplica, WorkerView } from '@sluice/contracts';
import type { Candidates } from '@sluice/model';
import type { Pool } from '../fleet/pool.ts';
import type { Worker } from '../fleet/worker.ts';
import type { Router } from '../router.ts';

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

/** A worker with its row of the table. */
export function workerView(router: Router, worker: Worker): WorkerView {
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

function prefixesOf(router: Router, worker: Worker): WorkerView['prefixes'] {
  if (!router.prefix.hasEvents(worker)) return 'approximate';
  return router.feed.confidence(worker.spec.id) === 'incomplete' ? 'incomplete' : 'live';
}

/** State of the embedded replica. */
export function indexView(router: Router): IndexReplica {
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
