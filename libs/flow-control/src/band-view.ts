import type { Flows } from './flows.ts';

/** What is held in one band, for people and metrics. */
export interface BandView {
  /** Lowest priority in it. */
  readonly priority: number;
  readonly requests: number;
  readonly bytes: number;
  /** Those that were seen lately. */
  readonly tenants: readonly {
    readonly tenant: string;
    readonly weight: number;
    readonly held: number;
    readonly running: number;
    /** Service of its ended requests since the tenant was first seen, or seen again after it was forgotten. */
    readonly servedTokens: number;
  }[];
}

/** From the lowest band. */
export const viewBands = <T>(flows: Flows<T>): BandView[] =>
  flows.bands.map((band) => ({
    priority: band.priority,
    requests: band.held,
    bytes: band.heldBytes,
    tenants: [...flows.ofBand(band.index)].map(({ tenant, weight, held, running, servedTokens }) => ({
      tenant,
      weight,
      held: held.length,
      running,
      servedTokens,
    })),
  }));
