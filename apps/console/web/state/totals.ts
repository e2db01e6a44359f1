import type { LiveTotals } from '@sluice/contracts';

/** Totals of all routers. */
export interface Totals {
  /** In force: one, unless the routers differ. */
  readonly policies: readonly string[];
  readonly inFlight: number;
  readonly held: number;
  /** Of the router that knows most. */
  readonly prefixes: number;
}

/** @param told at least one */
export const totalsOf = (told: readonly LiveTotals[]): Totals => ({
  policies: [...new Set(told.map(({ policy }) => policy))],
  inFlight: told.reduce((sum, { inFlight }) => sum + inFlight, 0),
  held: told.reduce((sum, { held }) => sum + held, 0),
  prefixes: Math.max(...told.map(({ index }) => index.nodes)),
});
