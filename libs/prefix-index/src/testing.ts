export { createReferenceIndex } from './reference.ts';
export { chainOf, randomBytes, splice, storeAll, testRoot } from './testing/prompts.ts';
export type { ChainBlock } from './testing/prompts.ts';
export { prefixIndexSuite } from './testing/suite.ts';
