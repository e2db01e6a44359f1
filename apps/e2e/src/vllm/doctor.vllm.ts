import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, freePorts } from '@sluice/process';
import { simTokenizer, Sluice } from '@sluice/testkit';
import { cli } from '../cli.ts';
import { Report } from '../report.ts';
import { env } from '../setup.ts';
import { startVllm } from './any-vllm.ts';
import type { AnyVllm } from './any-vllm.ts';
import { missingKit, MODEL, openKit } from './kit.ts';
import type { Kit } from './kit.ts';

/** Sections of a report of all tests: a part of them leaves the page as it is. */
const SECTIONS = 5;

const missing = await missingKit(env);
if (missing !== null) console.log(`skipped: ${missing}`);

interface Found {
  readonly code: string;
  readonly fix: string;
}

(missing === null ? describe : describe.skip)('doctor and real vLLM engines', () => {
  const report = new Report({
    file: 'e2e-doctor.md',
    title: 'Doctor and real engines',
    about: [
      'What `npm run e2e:doctor` found last: unmodified vLLM engines (CPU, tiny model with random weights and',
      "Qwen3's tokenizer), one after the other, each started with the named options and examined with `sluice doctor",
      '--strict`. Every list is all that was found.',
    ],
    command: 'npm run e2e:doctor',
  });
  let kit: Kit;
  let folder = '';
  let version = '';

  beforeAll(async () => {
    kit = await openKit(env);
    folder = await mkdtemp(join(tmpdir(), 'sluice-doctor-'));
  }, 2_400_000);
  afterAll(async () => {
    if (report.sections === SECTIONS) await report.write(`vLLM ${version}`);
    await rm(folder, { recursive: true, force: true });
  });

  async function withEngine(options: readonly string[], use: (engine: AnyVllm) => Promise<void>): Promise<void> {
    const engine = await startVllm(kit, 'doctor', options);
    try {
      version = await engine.version();
      await use(engine);
    } finally {
      await engine.stop();
    }
  }

  async function doctor(...args: string[]): Promise<Found[]> {
    const { out, err } = await cli('doctor', '--json', '--strict', '--timeout', '5', ...args);
    expect(err).toBe('');
    return (JSON.parse(out) as { findings: Found[] }).findings;
  }
  const examine = (engine: AnyVllm): Promise<Found[]> => doctor('--engine', engine.url, '--tokenizer', kit.tokenizer);
  const examineFleet = async (engine: AnyVllm, change: object = {}, pool: object = {}): Promise<Found[]> => {
    const path = join(folder, 'fleet.json');
    const engines = [{ id: 'a', url: engine.url, kvEvents: engine.kvEvents, ...change }];
    const pools = [{ id: 'tiny', models: [MODEL], tokenizer: kit.tokenizer, engines, ...pool }];
    await writeFile(path, JSON.stringify({ version: 1, pools }));
    return doctor('--fleet', path);
  };
  const codes = (findings: readonly Found[]): string[] => findings.map(({ code }) => code);
  const said = (mistake: string, findings: readonly Found[]): string =>
    `${mistake}: ${findings.length === 0 ? 'nothing' : findings.map(({ code, fix }) => `\`${code}\` (${fix})`).join(', ')}`;

  it('finds nothing where all is well, and what is wrong with the fleet file where that is', async () => {
    const [events, replay] = await freePorts(2);
    await withEngine(['--kv-events', `bind:${events}`, '--replay', String(replay)], async (engine) => {
      const byUrl = await examine(engine);
      const byFleet = await examineFleet(engine);
      expect([byUrl, byFleet]).toEqual([[], []]);

      const sluice = await Sluice.start({
        pools: [
          {
            id: 'tiny',
            models: [MODEL],
            tokenizer: kit.tokenizer,
            engines: [{ id: 'a', url: engine.url, kvEvents: engine.kvEvents }],
          },
        ],
        services: false,
        env,
      });
      const running = await doctor('--admin', new URL(sluice.admin('router')).origin).finally(() => sluice.stop());
      expect(running).toEqual([]);
      report.add(
        'All is well: events bound, replay, prefix caching, prompt token details',
        said('`--engine` and `--tokenizer`', byUrl),
        said('`--fleet`', byFleet),
        said('`--admin` of a Sluice in front of it', running),
      );

      const mistakes: [string, string, object, object][] = [
        ["another model's tokenizer", 'tokenizer-wrong', {}, { tokenizer: simTokenizer }],
        ['no tokenizer', 'tokenizer-missing', {}, { tokenizer: null }],
        ['another model name', 'model-not-served', {}, { models: ['qwen3-8b'] }],
        ['no kvEvents', 'events-not-read', { kvEvents: null }, {}],
        ['no replay', 'replay-missing', { kvEvents: { ...engine.kvEvents, replay: null } }, {}],
        ['another topic', 'events-wrong-topic', { kvEvents: { ...engine.kvEvents, topic: 'kv@' } }, {}],
        [
          'a port where nobody listens',
          'events-unreachable',
          { kvEvents: { ...engine.kvEvents, endpoint: `tcp://127.0.0.1:${await freePort()}` } },
          {},
        ],
        [
          'events and replay mixed up',
          'events-not-a-publisher',
          { kvEvents: { ...engine.kvEvents, endpoint: engine.kvEvents!.replay, replay: engine.kvEvents!.endpoint } },
          {},
        ],
        ['mode bind', 'events-both-bind', { kvEvents: { ...engine.kvEvents, mode: 'bind' } }, {}],
      ];
      const lines: string[] = [];
      for (const [mistake, code, change, pool] of mistakes) {
        const findings = await examineFleet(engine, change, pool);
        expect(codes(findings)).toContain(code);
        lines.push(said(mistake, findings));
      }
      report.add('The same engine, and a fleet file with a mistake', ...lines);
    });
  }, 900_000);

  it('finds events and prompt token details that are off', async () => {
    await withEngine(['--', '--no-enable-prompt-tokens-details'], async (engine) => {
      const findings = await examine(engine);
      expect(codes(findings).sort()).toEqual(['events-none', 'usage-details-off']);
      const kvEvents = { endpoint: 'tcp://127.0.0.1:5557', replay: 'tcp://127.0.0.1:5558' };
      const expected = await examineFleet(engine, { kvEvents });
      expect(codes(expected)).toContain('usage-details-off');
      expect(codes(expected).some((code) => code === 'events-off' || code === 'events-unreachable')).toBe(true);
      report.add(
        'Without `--kv-events-config` and with `--no-enable-prompt-tokens-details`',
        said('`--engine`', findings),
        said('`--fleet` that names an event address', expected),
      );
    });
  }, 900_000);

  it('finds prefix caching that is off', async () => {
    const [events, replay] = await freePorts(2);
    const options = ['--kv-events', `bind:${events}`, '--replay', String(replay), '--', '--no-enable-prefix-caching'];
    await withEngine(options, async (engine) => {
      const findings = await examineFleet(engine);
      expect(codes(findings)).toEqual(['prefix-caching-off']);
      report.add('With `--no-enable-prefix-caching`', said('`--fleet`', findings));
    });
  }, 900_000);

  it('finds an event stream that connects instead of binding', async () => {
    const [events, replay] = await freePorts(2);
    await withEngine(['--kv-events', `connect:${events}`, '--replay', String(replay)], async (engine) => {
      const both = await examineFleet(engine);
      expect(codes(both)).toEqual(['events-both-connect']);
      const bound = await examineFleet(engine, { kvEvents: { ...engine.kvEvents, mode: 'bind' } });
      expect(bound).toEqual([]);
      report.add(
        'With an event endpoint that it connects to',
        said('`mode: connect` in the fleet file', both),
        said('`mode: bind` in the fleet file', bound),
      );
    });
  }, 900_000);
});
