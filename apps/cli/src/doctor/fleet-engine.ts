import type { Fleet, PoolSpec, WorkerSpec } from '@sluice/model';

/** One HTTP server of the fleet, with the workers behind it: one a rank. */
export interface FleetEngine {
  readonly id: string;
  readonly url: string;
  readonly pool: PoolSpec;
  readonly variant: string;
  readonly workers: readonly WorkerSpec[];
}

/** The engines of a fleet, in its order. */
export function enginesOf(fleet: Fleet): FleetEngine[] {
  const pools = new Map(fleet.pools.map((pool) => [pool.id, pool]));
  const engines = new Map<string, WorkerSpec[]>();
  for (const worker of fleet.workers) {
    const workers = engines.get(worker.engine);
    if (workers === undefined) engines.set(worker.engine, [worker]);
    else workers.push(worker);
  }
  return [...engines].map(([id, workers]) => {
    const { url, pool, variant } = workers[0]!;
    return { id, url, pool: pools.get(pool)!, variant, workers };
  });
}

/** What doctor calls an engine. */
export const subjectOf = ({ id }: FleetEngine): string => `engine ${id}`;
