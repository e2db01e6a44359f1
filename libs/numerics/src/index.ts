export { seededRng } from './seeded-rng.ts';
export { Ewma } from './ewma.ts';
export type { EwmaState } from './ewma.ts';
export { KeyCounts } from './key-counts.ts';
export { normal, normalOf } from './normal.ts';
export { QuantileTracker } from './quantile-tracker.ts';
export type { QuantileState } from './quantile-tracker.ts';
export { Rls } from './rls.ts';
export type { RlsOptions, RlsState } from './rls.ts';
