import base from '../../jest.config.mjs';

/** Whole-system specs: real processes and servers, one at a time. `npm run e2e` builds first. */
export default {
  ...base,
  rootDir: '../..',
  roots: ['<rootDir>/apps/e2e'],
  testMatch: ['**/*.e2e.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  testTimeout: 180_000,
  maxWorkers: 1,
};
