import base from './jest.config.mjs';

/** docker-compose.yml on a real Docker engine: `npm run e2e:compose`. Builds the images first. */
export default { ...base, testMatch: ['**/*.compose.ts'] };
