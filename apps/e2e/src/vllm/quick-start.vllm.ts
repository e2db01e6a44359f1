import { afterAll, describe } from '@jest/globals';
import { freePorts } from '@sluice/process';
import { quickStartSuite } from '../quick-start/suite.ts';
import type { PageEngines } from '../quick-start/suite.ts';
import { Report } from '../report.ts';
import { env } from '../setup.ts';
import { type AnyVllm, startVllm } from './any-vllm.ts';
import { type Kit, missingKit, openKit } from './kit.ts';

/** Sections of a report of all tests: a part of them leaves the page as it is. */
const SECTIONS = 3;

const missing = await missingKit(env);
if (missing !== null) console.log(`skipped: ${missing}`);

(missing === null ? describe : describe.skip)('docs/quick-start.md, followed with real vLLM engines', () => {
  const report = new Report({
    file: 'e2e-vllm-quick-start.md',
    title: 'The quick start, typed with real engines',
    about: [
      'What `npm run e2e:vllm -- quick-start` saw last: every command of [quick-start.md](../quick-start.md) typed in a shell as it',
      "stands there, in front of two unmodified vLLM engines (CPU, tiny model with random weights and Qwen3's tokenizer) that were",
      "started with the page's own flags. The doctor found nothing; addresses, ports and the tokenizer's folder are those of the machine.",
    ],
    command: 'npm run e2e:vllm -- quick-start',
  });
  let version = '';
  afterAll(async () => {
    if (report.sections === SECTIONS) await report.write(`vLLM ${version}`);
  });

  quickStartSuite({
    async startEngines(command) {
      const kit = await openKit(env);
      const engines = await startBoth(kit, flagsOf(command));
      version = await engines[0].version();
      return {
        urls: [engines[0].url, engines[1].url],
        tokenizer: kit.tokenizer,
        stop: async () => void (await Promise.all(engines.map((engine) => engine.stop()))),
      } satisfies PageEngines;
    },
    env,
    // A model that runs on two shared processors is slower under load than it was when it was learned.
    flood: {
      promptTokens: 3000,
      reasons: /^(held in the router|held for another worker|work ahead of it on engine-\d|not foreseen):/,
    },
    say: (title, ...lines) => report.add(title, ...lines),
  });
});

interface PageFlags {
  readonly model: string;
  readonly flags: readonly string[];
  readonly kvEvents: string;
}

/** Of the page's `vllm serve MODEL --port PORT FLAGS... --kv-events-config 'JSON'`. */
function flagsOf(command: string): PageFlags {
  const line = command.replaceAll('\\\n', ' ').trim();
  const [, model, flags, kvEvents] = /^vllm serve (\S+) --port 8000 (.*?) +--kv-events-config '(.*)'$/.exec(line) ?? [];
  if (model === undefined || flags === undefined || kvEvents === undefined) throw new Error(`not understood: ${line}`);
  return { model, flags: flags.split(/ +/), kvEvents };
}

/** Two engines of the kit with the page's flags, each with ports of its own: of equal flags vLLM takes the last. */
async function startBoth(kit: Kit, { model, flags, kvEvents }: PageFlags): Promise<readonly [AnyVllm, AnyVllm]> {
  const ports = await freePorts(4);
  const start = (name: string, events: number, replay: number): Promise<AnyVllm> => {
    const config = kvEvents.replace('tcp://*:5557', `tcp://*:${events}`).replace('tcp://*:5558', `tcp://*:${replay}`);
    const own = ['--served-model-name', model, ...flags, '--kv-events-config', config];
    return startVllm(kit, name, ['--blocks', '600', '--', ...own]);
  };
  const started = await Promise.allSettled([
    start('quick-1', ports[0]!, ports[1]!),
    start('quick-2', ports[2]!, ports[3]!),
  ]);
  const [first, second] = started;
  if (first.status === 'fulfilled' && second.status === 'fulfilled') return [first.value, second.value];
  for (const one of started) if (one.status === 'fulfilled') await one.value.stop();
  throw new Error(started.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : [])).join('\n'));
}
