import { describe } from '@jest/globals';
import { simTokenizer } from '@sluice/testkit';
import { env, startSims, stopSims } from '../setup.ts';
import { PAGE_MODEL } from './page.ts';
import { quickStartSuite } from './suite.ts';

describe('docs/quick-start.md, followed with simulated engines', () => {
  quickStartSuite({
    async startEngines() {
      const sims = await startSims(2, { model: PAGE_MODEL });
      return {
        urls: [sims[0]!.url, sims[1]!.url],
        tokenizer: simTokenizer,
        stop: async () => void (await stopSims(sims)),
      };
    },
    env,
    flood: {
      promptTokens: 8000,
      reasons: /^(held in the router|held for another worker|work ahead of it on engine-\d):/,
    },
    say: (title, ...lines) => console.log([title, ...lines.map((line) => `  ${line}`)].join('\n')),
  });
});
