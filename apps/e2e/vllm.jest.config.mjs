import base from './jest.config.mjs';

/** The system in front of real vLLM engines: `npm run e2e:vllm` builds first. Slow, and needs the engines' kit. */
export default { ...base, testMatch: ['**/*.vllm.ts'] };
