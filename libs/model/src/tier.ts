/** Where a block's KV lives, fastest first. The position in {@link TIERS} is the tier's code on the wire and in columns. */
export const TIERS = ['hbm', 'cpu', 'disk', 'remote'] as const;
export type Tier = (typeof TIERS)[number];
export const TIER_COUNT = TIERS.length;

/** Position of `tier` in {@link TIERS}. */
export const tierCode = (tier: Tier): number => TIERS.indexOf(tier);
