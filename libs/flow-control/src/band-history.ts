import type { Band, Flow } from './flow.ts';
import type { Flows } from './flows.ts';

/** What a band knows of service received, without the requests that it has. */
export interface BandHistory<T> {
  readonly band: Band<T>;
  /** Recent service of all its flows. */
  readonly recentTokens: number;
  /** Counter of the flow served last, from the least that waits: may be below it. */
  readonly virtual: number;
  readonly flows: readonly {
    readonly flow: Flow<T>;
    /** Service per weight by which it is ahead of the least that waits. */
    readonly lead: number;
    readonly recentTokens: number;
  }[];
}

/** Counters are kept from the least that waits: those of different bands began at different times and do not compare. */
export function historyOf<T>(flows: Flows<T>, band: Band<T>): BandHistory<T> {
  const floor = flows.floor(band);
  return {
    band,
    recentTokens: flows.recentOf(band),
    virtual: band.virtual - floor,
    flows: [...flows.ofBand(band.index)].map((flow) => ({
      flow,
      lead: Math.max(0, flows.key(flow) - floor),
      recentTokens: flows.recent(flow),
    })),
  };
}

/** Enters the history of bands that there were into `band`, one of `flows`, which takes their place. */
export function inherit<T>(band: Band<T>, histories: readonly BandHistory<T>[], flows: Flows<T>): void {
  if (histories.length === 0) return;
  let recentTokens = 0;
  for (const history of histories) {
    band.servedTokens += history.band.servedTokens;
    band.lastArrivalMs = Math.max(band.lastArrivalMs, history.band.lastArrivalMs);
    recentTokens += history.recentTokens;
  }
  band.virtual = Math.max(...histories.map(({ virtual }) => virtual));
  // recent service of a band has an upper bound: in one that had several, every part of it is smaller
  const scale = recentTokens > 0 ? flows.recentOf(band) / recentTokens : 0;
  for (const history of histories) {
    for (const { flow, lead, recentTokens: own } of history.flows) {
      const heir = flows.named(flow.tenant, band);
      heir.counter = Math.max(heir.counter, lead);
      heir.recentTokens += scale * own;
      heir.recentAtTokens = band.servedTokens;
      heir.servedTokens += flow.servedTokens;
      heir.lastArrivalMs = Math.max(heir.lastArrivalMs, flow.lastArrivalMs);
      heir.floodedAtMs = Math.max(heir.floodedAtMs, flow.floodedAtMs);
      heir.reservedWorkers = Math.max(heir.reservedWorkers, flow.reservedWorkers);
      heir.reservedUntilMs = Math.max(heir.reservedUntilMs, flow.reservedUntilMs);
      heir.pending.merge(flow.pending);
    }
  }
}
