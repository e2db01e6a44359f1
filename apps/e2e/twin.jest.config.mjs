import base from './jest.config.mjs';

/** The twin held against the live system, at length: `npm run e2e:twin` builds first. Slow, and wants idle processors. */
export default { ...base, testMatch: ['**/*.twin.ts'] };
