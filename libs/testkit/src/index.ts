export { post, sseEvents } from './chat-client.ts';
export type { Answer, Usage } from './chat-client.ts';
export { loadMooncakeConversation, MOONCAKE_BLOCK_TOKENS, parseMooncake } from './mooncake.ts';
export type { MooncakeRequest } from './mooncake.ts';
export { syntheticText, textOfBlocks } from './synthetic-text.ts';
export { repoRoot, Sim, simTokenizer, Sluice } from './system.ts';
export type { SimOptions, SluiceOptions } from './system.ts';
export { waitFor } from './wait-for.ts';
