import type { IndexReplica, WorkersView, WorkerView } from '@sluice/contracts';
import { AdminClient } from '../admin-client.ts';
import { count, decimal, duration, percent } from '../numbers.ts';
import { stylesOf, widthOf } from '../speaker.ts';
import type { Speaker } from '../speaker.ts';
import { textTable } from '../text-table.ts';
import type { TextColumn } from '../text-table.ts';

export interface WorkersOptions {
  readonly admin: string;
  readonly token: string | null;
  readonly json: boolean;
}

/** Prints every worker with its load and what is known of its cache. @throws AdminError when the router cannot be asked */
export async function printWorkers(options: WorkersOptions, speaker: Speaker): Promise<void> {
  const client = await AdminClient.connect(options.admin, options.token);
  const [{ workers }, index] = await Promise.all([
    client.get<WorkersView>('router', '/workers'),
    client.get<IndexReplica>('router', '/index'),
  ]);
  const indexed = new Map(index.workers.map((each) => [each.worker, each]));
  const all = workers
    .map((worker) => ({ ...worker, index: indexed.get(worker.worker) ?? null }))
    .sort((a, b) => a.pool.localeCompare(b.pool) || a.worker.localeCompare(b.worker, 'en', { numeric: true }));
  if (options.json) {
    speaker.out.write(`${JSON.stringify({ workers: all }, null, 2)}\n`);
    return;
  }
  speaker.out.write(`${workerLines(all, speaker).join('\n')}\n`);
}

/** With its part of the router's index. */
type ShownWorker = WorkerView & { readonly index: IndexReplica['workers'][number] | null };

function workerLines(workers: readonly ShownWorker[], speaker: Speaker): string[] {
  if (workers.length === 0) return ['The fleet has no workers.'];
  const { bold, bad } = stylesOf(speaker);
  const column = (
    head: string,
    textOf: (worker: ShownWorker) => string,
    align: TextColumn['align'] = 'right',
  ): TextColumn => ({ head, cells: workers.map(textOf), align });
  const hasSiblings = workers.some(({ siblingRequests }) => siblingRequests > 0);
  const split = (total: number, siblings: number): string =>
    hasSiblings ? `${count(total - siblings)}+${count(siblings)}` : count(total);
  const pools = new Set(workers.map(({ pool }) => pool));
  const table = textTable(
    [
      column('worker', ({ worker }) => worker, 'left'),
      ...(pools.size > 1 ? [column('pool', ({ pool }) => pool, 'left')] : []),
      column('state', ({ state }) => state, 'left'),
      column('requests', (w) => split(w.inflightRequests, w.siblingRequests)),
      column('queued tok', (w) => split(w.queuedPrefillTokens, w.siblingQueuedPrefillTokens)),
      column('waiting', (w) => count(w.waitingRequests)),
      column('KV', (w) => percent(w.kvUsage)),
      column('cached tok', cachedText),
      column('index', ({ prefixes }) => prefixes, 'left'),
      column('age', ({ signalAgeMs }) => (signalAgeMs === null ? 'never' : duration(signalAgeMs))),
    ],
    widthOf(speaker),
  );
  const down = workers
    .filter(({ up }) => !up)
    .map(({ worker, state, reason }) =>
      bad(`${worker} takes no requests: ${state}${reason === '' ? '' : `, ${reason}`}`),
    );
  const notes = hasSiblings ? ['own+siblings: what this router and the others have in flight'] : [];
  return [bold(table[0]!), ...table.slice(1), ...down, ...notes];
}

/** Distinct tokens in its cache, as far as the index knows them. */
function cachedText({ index, blockTokens }: ShownWorker): string {
  if (index === null || blockTokens === null) return '-';
  const tokens = index.blocks * blockTokens;
  return tokens < 100_000 ? count(tokens) : `${decimal(tokens / 1000)}k`;
}
