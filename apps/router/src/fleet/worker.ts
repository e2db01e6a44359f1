import type { Line } from '@sluice/flow-control';
import type { WorkerSpec } from '@sluice/model';
import type { Forwarding } from '@sluice/upstream';
import type { EngineHealth } from './engine-health.ts';
import { neverSeen } from './engine-health.ts';
import type { Turn } from '../flow/turn.ts';
import type { Pool } from './pool.ts';
import { createWorkerTotals } from './worker-metrics.ts';
import type { WorkerTotals } from './worker-metrics.ts';

/** A worker as the router sees it; its numbers are in its row of the pool's table. */
export interface Worker {
  readonly spec: WorkerSpec;
  readonly pool: Pool;
  readonly engine: Engine;
  /** Headers that every request to it carries, name and value in turn. */
  readonly headers: readonly string[];
  /** Requests in flight there. */
  readonly inFlight: Set<Forwarding>;
  /** Requests held in the router until it has room. */
  readonly line: Line<Turn>;
  /** Tokens of a KV block; null until the engine said. */
  blockTokens: number | null;
  readonly totals: WorkerTotals;
}

/** One engine process: an HTTP port with one worker or one per data-parallel rank. */
export interface Engine {
  readonly url: string;
  readonly workers: Set<Worker>;
  health: EngineHealth;
  /** Looks at it that failed. */
  scrapeErrors: number;
  /** Requests that it failed since one last succeeded. */
  failuresInRow: number;
}

export const createEngine = (url: string, nowMs: number): Engine => ({
  url,
  workers: new Set(),
  health: neverSeen(nowMs),
  scrapeErrors: 0,
  failuresInRow: 0,
});

export function createWorker(spec: WorkerSpec, pool: Pool, engine: Engine): Worker {
  const headers = spec.dpRank === null ? [] : ['x-data-parallel-rank', String(spec.dpRank)];
  return {
    spec,
    pool,
    engine,
    headers,
    inFlight: new Set(),
    line: pool.flow.createLine(),
    blockTokens: null,
    totals: createWorkerTotals(),
  };
}
