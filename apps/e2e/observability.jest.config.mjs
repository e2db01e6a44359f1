import base from './jest.config.mjs';

/** Every alert that can be provoked, one after the other on a running system: `npm run e2e:observability` builds first. Some ten minutes. */
export default { ...base, testMatch: ['**/*.observability.ts'], testTimeout: 240_000 };
