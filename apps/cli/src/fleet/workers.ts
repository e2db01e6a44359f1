import type { IndexReplica, WorkersView } from '@sluice/contracts';
import { count, decimal, duration, percent } from '../numbers.ts';
import { Routers, tellLost } from '../routers.ts';
import type { RoutersOptions, Told } from '../routers.ts';
import { stylesOf, widthOf } from '../speaker.ts';
import type { Speaker } from '../speaker.ts';
import { textTable, wrapped } from '../text-table.ts';
import type { TextColumn } from '../text-table.ts';
import { fleetOfRouters } from './fleet-of-routers.ts';
import type { FleetWorker, SeenWorker } from './fleet-of-routers.ts';

export interface WorkersOptions extends RoutersOptions {
  readonly json: boolean;
}

/**
 * Prints every worker with its load and what is known of its cache, of several routers as one fleet. Returns whether all
 * routers answered.
 * @throws AdminError when none does
 */
export async function printWorkers(options: WorkersOptions, speaker: Speaker): Promise<boolean> {
  const routers = await Routers.connect(options);
  const told = await seenBy(routers);
  const workers = sorted(routers.areSeveral ? fleetOfRouters(told) : told.flatMap(({ answer }) => answer));
  const lines = options.json
    ? [JSON.stringify({ workers }, null, 2)]
    : workerLines(workers, told, routers.areSeveral, speaker);
  speaker.out.write(`${lines.join('\n')}\n`);
  return tellLost(routers.lost, speaker);
}

/** The workers of every router that answers. */
async function seenBy(routers: Routers): Promise<Told<readonly SeenWorker[]>[]> {
  const [views, replicas] = await Promise.all([
    routers.ask<WorkersView>('/workers'),
    routers.ask<IndexReplica>('/index'),
  ]);
  return views.flatMap(({ router, answer }) => {
    const index = replicas.find((replica) => replica.router === router)?.answer;
    if (index === undefined) return [];
    const indexed = new Map(index.workers.map((each) => [each.worker, each]));
    return [{ router, answer: answer.workers.map((each) => ({ ...each, index: indexed.get(each.worker) ?? null })) }];
  });
}

const sorted = (workers: (SeenWorker | FleetWorker)[]): (SeenWorker | FleetWorker)[] =>
  workers.sort((a, b) => a.pool.localeCompare(b.pool) || a.worker.localeCompare(b.worker, 'en', { numeric: true }));

function workerLines(
  workers: readonly (SeenWorker | FleetWorker)[],
  told: readonly Told<readonly SeenWorker[]>[],
  areSeveral: boolean,
  speaker: Speaker,
): string[] {
  if (workers.length === 0) return ['The fleet has no workers.'];
  const { bold, bad } = stylesOf(speaker);
  const width = widthOf(speaker);
  const hasSiblings = workers.some(({ siblingRequests }) => siblingRequests > 0);
  const table = workerTable(workers, hasSiblings, width);
  const troubles = workers.flatMap((worker) => troublesOf(worker, told)).flatMap((line) => wrapped(line, width, 2));
  const notes = [
    ...(hasSiblings
      ? [`own+siblings: what ${areSeveral ? 'these routers and others' : 'this router and the others'} have in flight`]
      : []),
    ...(told.length > 1
      ? [
          `As ${told.map(({ router }) => router).join(', ')} see it together: what is in flight is counted once; waiting, KV, cached tok and age are the largest that one of them has, index the least. The view of one: --router NAME`,
        ]
      : []),
  ].flatMap((line) => wrapped(line, width, 2));
  return [bold(table[0]!), ...table.slice(1), ...troubles.map(bad), ...notes];
}

function workerTable(workers: readonly (SeenWorker | FleetWorker)[], hasSiblings: boolean, width: number): string[] {
  const column = (
    head: string,
    textOf: (worker: SeenWorker | FleetWorker) => string,
    align: TextColumn['align'] = 'right',
  ): TextColumn => ({ head, cells: workers.map(textOf), align });
  const split = (total: number, siblings: number): string =>
    hasSiblings ? `${count(total - siblings)}+${count(siblings)}` : count(total);
  const pools = new Set(workers.map(({ pool }) => pool));
  return textTable(
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
    width,
  );
}

/** Why it takes no requests, and of whom where the routers do not say the same. */
function troublesOf(worker: SeenWorker | FleetWorker, told: readonly Told<readonly SeenWorker[]>[]): string[] {
  if (!('routers' in worker)) return worker.up ? [] : [`${worker.worker} takes no requests: ${whyDown(worker)}`];
  const sayings = told.map(({ router }): [router: string, saying: string | null] => {
    const seen = worker.routers[router];
    if (seen === undefined) return [router, 'it is not in its fleet'];
    return [router, seen.up ? null : whyDown(seen)];
  });
  const [first] = sayings;
  if (sayings.every(([, saying]) => saying === first![1])) {
    return first![1] === null ? [] : [`${worker.worker} takes no requests: ${first![1]}`];
  }
  return sayings.flatMap(([router, saying]) =>
    saying === null ? [] : [`${worker.worker} takes no requests of ${router}: ${saying}`],
  );
}

const whyDown = ({ state, reason }: SeenWorker): string => `${state}${reason === '' ? '' : `, ${reason}`}`;

/** Distinct tokens in its cache, as far as the index knows them. */
function cachedText({ index, blockTokens }: SeenWorker | FleetWorker): string {
  if (index === null || blockTokens === null) return '-';
  const tokens = index.blocks * blockTokens;
  return tokens < 100_000 ? count(tokens) : `${decimal(tokens / 1000)}k`;
}
