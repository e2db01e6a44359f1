import { readFileSync } from 'node:fs';

const swcrc = JSON.parse(readFileSync(new URL('.swcrc', import.meta.url), 'utf8'));

export default {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@sluice/source', 'node', 'node-addons'] },
  roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/tools'],
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/apps/e2e/', '/testdata/'],
  modulePathIgnorePatterns: ['/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  // Specs run from source: the build's rewriting of './x.ts' to './x.js' must not happen here.
  transform: {
    '\\.ts$': ['@swc/jest', { ...swcrc, swcrc: false, jsc: { ...swcrc.jsc, rewriteRelativeImportExtensions: false } }],
  },
  reporters: ['default', 'summary', '<rootDir>/tools/checks/plain-summary-reporter.mjs'],
  maxWorkers: 2,
  // A safety net for hung specs, generous because two busy cores are what they run on; no expectation.
  testTimeout: 30_000,
};
