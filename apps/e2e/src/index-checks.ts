import { type Sim, simTokenizer, type Sluice, waitFor } from '@sluice/testkit';
import { referenceBlocks } from './reference-blocks.ts';
import { POOL } from './setup.ts';

/** Anything whose services' admin APIs can be read. */
export type AdminReader = Pick<Sluice, 'getAdmin'>;

/** Keys that kv-index believes a worker holds. */
async function indexed(system: AdminReader, worker: string): Promise<Set<string>> {
  const keys = new Set<string>();
  let offset: number | null = 0;
  while (offset !== null) {
    const page: { blocks: { key: string }[]; next: number | null } = await system.getAdmin(
      'kv-index',
      `/workers/${worker}/blocks?offset=${offset}&limit=10000`,
    );
    for (const block of page.blocks) keys.add(block.key);
    offset = page.next;
  }
  return keys;
}

/** Waits until the index equals, for every engine, what its own events say. Returns the milliseconds it took. */
export async function untilIndexIsRight(system: AdminReader, sims: readonly Sim[], timeoutMs: number): Promise<number> {
  const { tookMs } = await waitFor('index equal to the engines', timeoutMs, async () => {
    for (const sim of sims) {
      const [held, believed] = await Promise.all([
        referenceBlocks(sim.kvEvents, POOL, simTokenizer),
        indexed(system, sim.name),
      ]);
      if (held.size !== believed.size) {
        throw new Error(`${sim.name} holds ${held.size} blocks, the index says ${believed.size}`);
      }
      for (const key of held)
        if (!believed.has(key)) throw new Error(`${sim.name} holds ${key}, the index does not know`);
    }
    return true;
  });
  return tookMs;
}

interface Position {
  readonly worker: string;
  readonly confidence: string;
  readonly epoch: number;
  readonly seq: number;
}

/** Where a service's index stands for every worker: `worker confidence epoch seq`. */
export async function positions(system: AdminReader, service: 'router' | 'kv-index'): Promise<string[]> {
  const path = service === 'router' ? '/index' : '/workers';
  return (await system.getAdmin<{ workers: Position[] }>(service, path)).workers
    .map(({ worker, confidence, epoch, seq }) => `${worker} ${confidence} ${epoch} ${seq}`)
    .sort();
}

/** Waits until the router's own replica stands where kv-index stands, and believes what it has. */
export async function untilRouterFollows(system: AdminReader, timeoutMs: number): Promise<void> {
  await waitFor('router at the position of kv-index', timeoutMs, async () => {
    const [own, global] = await Promise.all([positions(system, 'router'), positions(system, 'kv-index')]);
    if (own.join() !== global.join()) throw new Error(`router ${own.join()}, kv-index ${global.join()}`);
    return own.length > 0 && own.every((view) => view.includes(' live '));
  });
}

export interface WorkerView {
  readonly worker: string;
  readonly up: boolean;
  readonly inflightRequests: number;
}

export const workers = async (system: AdminReader): Promise<readonly WorkerView[]> =>
  (await system.getAdmin<{ workers: WorkerView[] }>('router', '/workers')).workers;
