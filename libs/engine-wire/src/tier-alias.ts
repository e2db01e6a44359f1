import type { Tier } from '@sluice/model';

/** Names that engines and their connectors use for a block's place (`medium`), lower case. */
const ALIASES: ReadonlyMap<string, Tier> = new Map<string, Tier>([
  ['gpu', 'hbm'],
  ['hbm', 'hbm'],
  ['cpu', 'cpu'],
  ['cpu_tier1', 'cpu'],
  ['cpu_pinned', 'cpu'],
  ['disk', 'disk'],
  ['fs', 'disk'],
  ['cpu_tier2', 'disk'],
  ['storage', 'remote'],
  ['obj', 'remote'],
  ['object_store', 'remote'],
  ['shared_storage', 'remote'],
  ['external', 'remote'],
  ['remote', 'remote'],
]);

/** What vLLM calls each tier; used when an event to be encoded names none. */
export const MEDIUM_OF_TIER: Readonly<Record<Tier, string>> = { hbm: 'GPU', cpu: 'CPU', disk: 'FS', remote: 'STORAGE' };

/**
 * Tier of an engine's `medium`, case-insensitive; no medium means the accelerator (vLLM before 0.11 named none).
 * Null for a name that is not in the table: such blocks must not be guessed into a tier.
 */
export const tierOfMedium = (medium: string | null): Tier | null =>
  medium === null ? 'hbm' : (ALIASES.get(medium) ?? ALIASES.get(medium.toLowerCase()) ?? null);
