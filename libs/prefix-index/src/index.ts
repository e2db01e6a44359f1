export { createMatches, PrefixMatches } from './matches.ts';
export { createPrefixIndex } from './prefix-index.ts';
export { ALL_TIERS, SPECULATIVE_SPAN_BYTES } from './types.ts';
export type { BlockRecord, BlockSink, IndexStats, PrefixIndex, PrefixIndexOptions, SpeculationId } from './types.ts';
