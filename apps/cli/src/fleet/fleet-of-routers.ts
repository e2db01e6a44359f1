import type { IndexReplica, WorkerView } from '@sluice/contracts';
import type { Told } from '../routers.ts';

/** A worker as one router sees it, with its part of that router's index. */
export type SeenWorker = WorkerView & { readonly index: IndexReplica['workers'][number] | null };

/**
 * A worker as several routers see it. Latency parameters and the position in the index are each router's own: they are
 * below its name alone.
 */
export interface FleetWorker extends Omit<SeenWorker, 'state' | 'index' | 'step'> {
  /** `differs`: some routers reach it and others do not. */
  readonly state: WorkerView['state'] | 'differs';
  readonly index: { readonly confidence: Confidence; readonly blocks: number } | null;
  /** What each router says of it; one that does not have it in its fleet is not among them. */
  readonly routers: Readonly<Record<string, SeenWorker>>;
}

type Confidence = IndexReplica['workers'][number]['confidence'];

/** From the least that can be said of a cache to all. */
const PREFIXES: readonly WorkerView['prefixes'][] = ['approximate', 'incomplete', 'live'];
const CONFIDENCES: readonly Confidence[] = ['none', 'incomplete', 'live'];

/**
 * Every worker once, as the console's page has it: with its state where the routers agree, the largest of what they read of
 * its engine, the least that any of them knows of its cache, and what is in flight counted once.
 */
export function fleetOfRouters(told: readonly Told<readonly SeenWorker[]>[]): FleetWorker[] {
  const seen = new Map<string, [router: string, worker: SeenWorker][]>();
  for (const { router, answer } of told) {
    for (const worker of answer) seen.set(worker.worker, [...(seen.get(worker.worker) ?? []), [router, worker]]);
  }
  return [...seen.values()].map(together);
}

function together(told: readonly (readonly [router: string, worker: SeenWorker])[]): FleetWorker {
  const all = told.map(([, worker]) => worker);
  const { worker, pool, url, dpRank, role, variant, state } = all[0]!;
  const most = (numberOf: (worker: SeenWorker) => number): number => Math.max(...all.map(numberOf));
  const requests = inFlightOnce(all.map((w) => [w.inflightRequests, w.siblingRequests]));
  const queued = inFlightOnce(all.map((w) => [w.queuedPrefillTokens, w.siblingQueuedPrefillTokens]));
  return {
    ...{ worker, pool, url, dpRank, role, variant },
    blockTokens: all.find((w) => w.blockTokens !== null)?.blockTokens ?? null,
    up: all.every((w) => w.up),
    state: all.every((w) => w.state === state) ? state : 'differs',
    reason: all.find(({ reason }) => reason !== '')?.reason ?? '',
    sinceMs: most((w) => w.sinceMs),
    scrapeErrors: most((w) => w.scrapeErrors),
    prefixes: least(
      PREFIXES,
      all.map((w) => w.prefixes),
    ),
    signalAgeMs: all.some((w) => w.signalAgeMs === null) ? null : most((w) => w.signalAgeMs!),
    waitingRequests: most((w) => w.waitingRequests),
    runningRequests: most((w) => w.runningRequests),
    kvUsage: most((w) => w.kvUsage),
    kvCapacityTokens: most((w) => w.kvCapacityTokens),
    inflightRequests: requests.all,
    siblingRequests: requests.ofOthers,
    queuedPrefillTokens: queued.all,
    siblingQueuedPrefillTokens: queued.ofOthers,
    prefilledTokens: most((w) => w.prefilledTokens),
    decodesRunning: most((w) => w.decodesRunning),
    decodeContextTokens: most((w) => w.decodeContextTokens),
    heldKvTokens: most((w) => w.heldKvTokens),
    expectedGrowthTokens: most((w) => w.expectedGrowthTokens),
    index: indexOf(all),
    routers: Object.fromEntries(told),
  };
}

/**
 * Each router counts those of its siblings too, as far as it hears them: without, every request is somebody's own.
 * @param counts by router: in all, and of those its siblings'
 */
function inFlightOnce(counts: readonly (readonly [all: number, siblings: number])[]): {
  all: number;
  ofOthers: number;
} {
  const own = counts.reduce((sum, [all, siblings]) => sum + all - siblings, 0);
  const all = Math.max(own, ...counts.map(([each]) => each));
  return { all, ofOthers: all - own };
}

function indexOf(all: readonly SeenWorker[]): FleetWorker['index'] {
  const known = all.flatMap(({ index }) => index ?? []);
  if (known.length === 0) return null;
  const confidence = least(
    CONFIDENCES,
    known.map((index) => index.confidence),
  );
  return { confidence, blocks: Math.max(...known.map(({ blocks }) => blocks)) };
}

const least = <Word>(order: readonly Word[], words: readonly Word[]): Word =>
  order[Math.min(...words.map((word) => order.indexOf(word)))]!;
