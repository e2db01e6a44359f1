import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Child, findProgram, freePort } from '@sluice/process';
import type { ServerProgram } from '@sluice/process';
import { repoRoot, Sim, simTokenizer, Sluice, waitFor } from '@sluice/testkit';
import { cli } from './cli.ts';
import { env, missingPrograms, MODEL, POOL, stopSims } from './setup.ts';

const skipped = await missingPrograms('nats-server', 'redis-server');
if (skipped !== null) console.log(`skipped: ${skipped}`);

interface Found {
  readonly code: string;
  readonly severity: string;
  readonly subject: string;
  readonly what: string;
  readonly fix: string;
}

/** Runs doctor; returns what it found, sorted by code, and the exit code. */
async function doctor(...args: string[]): Promise<{ code: number; findings: Found[] }> {
  const { code, out, err } = await cli('doctor', '--json', '--timeout', '1', ...args);
  expect(err).toBe('');
  const { findings } = JSON.parse(out) as { findings: Found[] };
  return { code, findings: [...findings].sort((a, b) => a.code.localeCompare(b.code)) };
}

const codes = (findings: readonly Found[]): string[] => findings.map(({ code }) => code);

let folder = '';
const running: Sim[] = [];
const children: Child[] = [];
const servers: Server[] = [];

/** An engine with these further arguments; later ones win over the usual. */
async function sim(...extraArgs: string[]): Promise<Sim> {
  const started = await Sim.start({ name: 'a', model: MODEL, speed: 50, extraArgs }, env);
  running.push(started);
  return started;
}

/** URL of an engine that publishes no KV events. */
async function simWithoutEvents(): Promise<string> {
  const port = await freePort();
  const args = [join(repoRoot, 'apps/engine-sim/dist/main.js'), '--port', String(port), '--model', MODEL];
  const child = new Child({ name: 'silent', command: process.execPath, args, env });
  children.push(child);
  await child.waitForLine(/"ready":true/, 30_000);
  return `http://127.0.0.1:${port}`;
}

/** Path of a fleet file of one pool. */
async function fleetFile(engines: readonly object[], pool: object = {}): Promise<string> {
  const path = join(folder, `fleet-${Math.random().toString(36).slice(2)}.json`);
  const pools = [{ id: POOL, models: [MODEL], tokenizer: simTokenizer, engines, ...pool }];
  await writeFile(path, JSON.stringify({ version: 1, pools }));
  return path;
}

/** A TCP server that says `hello` to everybody. Returns its port. */
async function sayingServer(hello: string): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(hello);
  });
  servers.push(server);
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return port;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-doctor-'));
});
afterAll(async () => {
  await Promise.all([stopSims(running), ...children.map((child) => child.stop(3000))]);
  for (const server of servers) server.close();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

describe('doctor, when all is well', () => {
  it('finds nothing in engines, by address and by fleet file, with ranks and with events that connect', async () => {
    const [plain, ranks] = [await sim(), await sim('--data-parallel-size', '2', '--lora', 'tone')];
    const byUrl = await doctor('--engine', plain.url, '--tokenizer', simTokenizer, '--strict');
    expect(byUrl).toEqual({ code: 0, findings: [] });
    const port = await freePort();
    const connecting = await sim('--kv-events', `connect:tcp://127.0.0.1:${port}`);
    const fleet = await fleetFile(
      [
        plain.entry,
        { ...ranks.entry, id: 'ranks', ranks: 2 },
        {
          ...connecting.entry,
          id: 'connecting',
          kvEvents: {
            ...connecting.kvEvents,
            mode: 'bind',
            endpoint: `tcp://127.0.0.1:${port}`,
            replay: connecting.kvEvents.replayEndpoint,
            replayEndpoint: undefined,
          },
        },
      ],
      {},
    );
    expect(await doctor('--fleet', fleet, '--strict')).toEqual({ code: 0, findings: [] });
  });

  it('finds nothing in a running Sluice, and says so to people', async () => {
    const engine = await sim();
    const pools = [{ id: POOL, models: [MODEL], tokenizer: simTokenizer, engines: [engine.entry] }];
    const sluice = await Sluice.start({ pools, services: false, env });
    try {
      const admin = new URL(sluice.admin('router')).origin;
      expect(await doctor('--admin', admin, '--strict')).toEqual({ code: 0, findings: [] });
      const page = await cli('doctor', '--admin', admin, '--fleet', sluice.fleetPath);
      expect([page.code, page.err]).toEqual([0, '']);
      expect(page.out).toMatch(/^ok {4}admin http:.*\n(.*\n)*ok {4}engine a .*\n(.*\n)*\nNothing is wrong\.\n$/);

      await engine.kill();
      await waitFor('the router knows that the engine is gone', 10_000, async () => {
        const { workers } = await sluice.getAdmin<{ workers: { up: boolean }[] }>('router', '/workers');
        return workers.every(({ up }) => !up);
      });
      const { findings } = await doctor('--admin', admin);
      expect(codes(findings)).toContain('worker-down');
      expect(codes(findings)).toContain('engine-unreachable');
    } finally {
      await sluice.stop();
    }
  }, 60_000);
});

(skipped === null ? describe : describe.skip)('doctor and real servers', () => {
  const startServer = async (program: ServerProgram, ...args: string[]): Promise<number> => {
    const port = await freePort();
    const command = (await findProgram(program, env['PATH'] ?? ''))!;
    const child = new Child({ name: program, command, args: [...args, '--port', String(port)], env });
    children.push(child);
    await waitFor(`${program} to listen`, 10_000, () => listens(port));
    return port;
  };
  const listens = (port: number): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  const local = ['--bind', '127.0.0.1', '--save', ''];

  it('finds nothing in servers as up --services starts them', async () => {
    const nats = await startServer('nats-server', '--addr', '127.0.0.1', '--jetstream', '--store_dir', folder);
    const redis = await startServer('redis-server', ...local);
    const servers = ['--nats', `nats://127.0.0.1:${nats}`, '--redis', `redis://127.0.0.1:${redis}`];
    const { url } = await sim();
    expect(await doctor('--strict', '--engine', url, '--tokenizer', simTokenizer, ...servers)).toEqual({
      code: 0,
      findings: [],
    });
  });

  it('finds wrong logins, a NATS without JetStream and a Redis that evicts', async () => {
    const nats = await startServer('nats-server', '--addr', '127.0.0.1', '--user', 'u', '--pass', 'p');
    const redis = await startServer(
      'redis-server',
      ...[...local, '--requirepass', 'p', '--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'],
    );
    const passive = async (natsLogin: string, redisLogin: string): Promise<string[]> => {
      const servers = [
        '--nats',
        `nats://${natsLogin}127.0.0.1:${nats}`,
        '--redis',
        `redis://${redisLogin}127.0.0.1:${redis}`,
      ];
      const { findings } = await doctor(
        '--fleet',
        await fleetFile([{ id: 'a', url: 'http://127.0.0.1:9' }]),
        ...servers,
      );
      return codes(findings).filter((code) => /^(nats|redis)/.test(code));
    };
    expect(await passive('', '')).toEqual(['nats-unauthorized', 'nats-without-jetstream', 'redis-unauthorized']);
    expect(await passive('u:p@', ':p@')).toEqual(['nats-without-jetstream', 'redis-evicts']);
    const secret = await cli(
      'doctor',
      '--redis',
      `redis://:hidden@127.0.0.1:${redis}`,
      '--engine',
      'http://127.0.0.1:9',
    );
    expect(secret.out + secret.err).not.toContain('hidden');
  });
});

/** A planted mistake: what is started, and which findings with which words in their fixes it must lead to. */
interface Planted {
  readonly mistake: string;
  readonly plant: () => Promise<string[]>;
  /** Codes with what their fixes name; nothing else may be found. */
  readonly found: Readonly<Record<string, RegExp>>;
}

const events = (engine: Sim, change: object): object => ({
  id: 'a',
  url: engine.url,
  kvEvents: {
    mode: 'connect',
    endpoint: engine.kvEvents.endpoint,
    replay: engine.kvEvents.replayEndpoint,
    topic: 'kv-events',
    ...change,
  },
});

const PLANTED: readonly Planted[] = [
  {
    mistake: 'an engine that does not run',
    plant: async () => ['--engine', `http://127.0.0.1:${await freePort()}`],
    found: { 'engine-unreachable': /--host 0\.0\.0\.0/ },
  },
  {
    mistake: 'an engine that asks for a key',
    plant: async () => ['--engine', (await sim('--api-key', 'secret')).url],
    found: { 'engine-unauthorized': /--api-key/ },
  },
  {
    mistake: 'a fleet file with a wrong key',
    plant: async () => ['--fleet', await fleetFile([{ ...(await sim()).entry, kvevents: null }])],
    found: { 'fleet-invalid': /fleet-file\.md/ },
  },
  {
    mistake: 'another model name than the engine serves',
    plant: async () => ['--fleet', await fleetFile([(await sim()).entry], { models: ['qwen3-8b'] })],
    found: { 'model-not-served': /--served-model-name qwen3-8b/ },
  },
  {
    mistake: 'an adapter that the fleet takes for a base model, and one that nobody serves',
    plant: async () => {
      const engine = await sim('--lora', 'tone');
      return ['--fleet', await fleetFile([engine.entry], { models: [MODEL, 'tone'], loras: ['voice'] })];
    },
    found: { 'adapter-as-model': /loras of pool sim/, 'adapter-not-served': /--lora-modules voice=PATH/ },
  },
  {
    mistake: 'KV events disabled',
    plant: async () => {
      const url = await simWithoutEvents();
      const kvEvents = { endpoint: 'tcp://127.0.0.1:5557', replay: 'tcp://127.0.0.1:5558' };
      return ['--fleet', await fleetFile([{ id: 'a', url, kvEvents }])];
    },
    found: { 'events-off': /--kv-events-config '\{"enable_kv_cache_events":true/ },
  },
  {
    mistake: 'KV events disabled, where the fleet is made of what engines say',
    plant: async () => ['--engine', await simWithoutEvents(), '--tokenizer', simTokenizer],
    found: { 'events-none': /--kv-events-config '\{"enable_kv_cache_events":true/ },
  },
  {
    mistake: 'an event port where nobody listens',
    plant: async () => {
      const engine = await sim();
      return ['--fleet', await fleetFile([events(engine, { endpoint: `tcp://127.0.0.1:${await freePort()}` })])];
    },
    found: { 'events-unreachable': /endpoint: 'tcp:\/\/127\.0\.0\.1:\d+'/ },
  },
  {
    mistake: 'an event stream that connects instead of binding',
    plant: async () => {
      const engine = await sim('--kv-events', `connect:tcp://127.0.0.1:${await freePort()}`);
      return ['--fleet', await fleetFile([engine.entry])];
    },
    found: { 'events-both-connect': /"endpoint":"tcp:\/\/\*:\d+" in --kv-events-config/ },
  },
  {
    mistake: 'two ends that both bind the event stream',
    plant: async () => {
      const engine = await sim();
      return [
        '--fleet',
        await fleetFile([events(engine, { mode: 'bind', endpoint: `tcp://127.0.0.1:${await freePort()}` })]),
      ];
    },
    found: { 'events-both-bind': /kvEvents: \{ endpoint: 'tcp:\/\/127\.0\.0\.1:\d+'/ },
  },
  {
    mistake: 'the HTTP port as event address',
    plant: async () => {
      const engine = await sim();
      return ['--fleet', await fleetFile([events(engine, { endpoint: `tcp://127.0.0.1:${engine.port}` })])];
    },
    found: { 'events-not-a-publisher': /not its replay_endpoint or the HTTP port/ },
  },
  {
    mistake: 'event and replay addresses mixed up',
    plant: async () => {
      const engine = await sim();
      const { endpoint, replayEndpoint } = engine.kvEvents;
      return ['--fleet', await fleetFile([events(engine, { endpoint: replayEndpoint, replay: endpoint })])];
    },
    found: { 'events-not-a-publisher': /"endpoint" of --kv-events-config/, 'replay-unreachable': /"replay_endpoint"/ },
  },
  {
    mistake: 'a topic that nothing is published under',
    plant: async () => ['--fleet', await fleetFile([events(await sim(), { topic: 'kv@' })])],
    found: { 'events-wrong-topic': /topic: 'kv-events'/ },
  },
  {
    mistake: 'a replay endpoint that the fleet does not name',
    plant: async () => ['--fleet', await fleetFile([events(await sim(), { replay: null })])],
    found: { 'replay-missing': /replay: tcp:\/\// },
  },
  {
    mistake: 'an engine whose events the fleet does not read',
    plant: async () => ['--fleet', await fleetFile([{ ...(await sim()).entry, kvEvents: null }])],
    found: { 'events-not-read': /kvEvents: \{ endpoint: 'tcp:\/\/127\.0\.0\.1:\d+', replay: .*topic: 'kv-events' \}/ },
  },
  {
    mistake: 'prefix caching off',
    plant: async () => ['--fleet', await fleetFile([(await sim('--no-enable-prefix-caching')).entry])],
    found: { 'prefix-caching-off': /--enable-prefix-caching/ },
  },
  {
    mistake: 'no prompt token details',
    plant: async () => ['--fleet', await fleetFile([(await sim('--no-prompt-tokens-details')).entry])],
    found: { 'usage-details-off': /--enable-prompt-tokens-details/ },
  },
  {
    mistake: 'a clock that is wrong by half a minute',
    plant: async () => ['--fleet', await fleetFile([(await sim('--kv-events-clock-offset', '-30')).entry])],
    found: { 'clock-skew': /NTP/ },
  },
  {
    mistake: 'blocks so large that nothing is shared',
    plant: async () => ['--fleet', await fleetFile([(await sim('--block-size', '256')).entry])],
    found: { 'block-size-large': /--block-size 16/ },
  },
  {
    mistake: 'no tokenizer',
    plant: async () => ['--fleet', await fleetFile([(await sim()).entry], { tokenizer: null })],
    found: { 'tokenizer-missing': /tokenizer: DIR in pool sim/ },
  },
  {
    mistake: 'a tokenizer folder that is not there',
    plant: async () => ['--fleet', await fleetFile([(await sim()).entry], { tokenizer: './nowhere' })],
    found: { 'tokenizer-unreadable': /tokenizer\.json/ },
  },
  {
    mistake: "another model's tokenizer",
    plant: async () => ['--fleet', await fleetFile([(await sim()).entry], { tokenizer: await otherTokenizer() })],
    found: { 'tokenizer-wrong': /of the model that the engines serve/ },
  },
  {
    mistake: 'another chat template',
    plant: async () => ['--fleet', await fleetFile([(await sim()).entry], { tokenizer: await otherTemplate() })],
    found: { 'chat-template-wrong': /--chat-template FILE/ },
  },
  {
    mistake: 'ranks that the fleet does not list',
    plant: async () => ['--fleet', await fleetFile([(await sim('--data-parallel-size', '2')).entry])],
    found: { 'ranks-unlisted': /ranks: 2/ },
  },
  {
    mistake: 'two engines with different settings in one variant',
    plant: async () => {
      const [small, large] = [await sim('--kv-blocks', '2000'), await sim('--block-size', '32')];
      return ['--fleet', await fleetFile([small.entry, { ...large.entry, id: 'b' }])];
    },
    found: { 'variant-mixed': /variant: NAME/ },
  },
  {
    mistake: 'a NATS that does not run, and a Redis that does not',
    plant: async () => [
      ...['--engine', (await sim()).url, '--tokenizer', simTokenizer],
      ...['--nats', `nats://127.0.0.1:${await freePort()}`, '--redis', `redis://127.0.0.1:${await freePort()}`],
    ],
    found: { 'nats-unreachable': /nats-server --jetstream/, 'redis-unreachable': /redis-server --appendonly yes/ },
  },
  {
    mistake: 'a NATS that is too old, has no JetStream and takes small messages only',
    plant: async () => [
      ...['--engine', (await sim()).url, '--tokenizer', simTokenizer],
      ...[
        '--nats',
        `nats://127.0.0.1:${await sayingServer('INFO {"version":"2.7.4","max_payload":65536} \r\nPONG\r\n')}`,
      ],
    ],
    found: {
      'nats-too-old': /upgrade nats-server/,
      'nats-without-jetstream': /--jetstream/,
      'nats-payload-small': /max_payload/,
    },
  },
  {
    mistake: 'a Redis that throws keys away',
    plant: async () => {
      const info =
        '# Server\r\nredis_version:7.2.0\r\nmaxmemory:1073741824\r\nmaxmemory_policy:allkeys-lru\r\n# Keyspace\r\n';
      const port = await sayingServer(`$${info.length}\r\n${info}\r\n`);
      return ['--engine', (await sim()).url, '--tokenizer', simTokenizer, '--redis', `redis://127.0.0.1:${port}`];
    },
    found: { 'redis-evicts': /maxmemory-policy noeviction/ },
  },
  {
    mistake: 'an admin port where nobody listens',
    plant: async () => ['--admin', `http://127.0.0.1:${await freePort()}`],
    found: { 'admin-unreachable': /sluice up/ },
  },
];

describe('doctor, of planted mistakes', () => {
  it.each(PLANTED)('finds $mistake, and nothing else', async ({ plant, found }) => {
    const { code, findings } = await doctor('--strict', ...(await plant()));
    expect(codes(findings)).toEqual(Object.keys(found).sort());
    for (const each of findings) expect(each.fix).toMatch(found[each.code]!);
    expect(code).toBe(1);
  });

  it('tells warnings from errors by the exit code', async () => {
    const engine = await sim('--no-prompt-tokens-details');
    const args = ['--engine', engine.url, '--tokenizer', simTokenizer];
    expect((await doctor(...args)).code).toBe(0);
    expect((await doctor(...args, '--strict')).code).toBe(1);
  });

  it('sends nothing when it is told to be passive', async () => {
    const engine = await sim('--no-enable-prefix-caching');
    const { findings } = await doctor('--engine', engine.url, '--tokenizer', simTokenizer, '--passive');
    expect(codes(findings)).toEqual(['prefix-caching-off']);
    const metrics = await (await fetch(`${engine.url}/metrics`)).text();
    expect(metrics).toMatch(/^vllm:prompt_tokens_total\{.*\} 0(\.0)?$/m);
  });
});

/** The engines' tokenizer with two letters exchanged: the folder of a model with the same template. */
async function otherTokenizer(): Promise<string> {
  const dir = join(folder, 'other-tokenizer');
  await cp(simTokenizer, dir, { recursive: true });
  const path = join(dir, 'tokenizer.json');
  const tokenizer = JSON.parse(await readFile(path, 'utf8')) as { model: { vocab: Record<string, number> } };
  const { vocab } = tokenizer.model;
  [vocab['d'], vocab['e']] = [vocab['e']!, vocab['d']!];
  await writeFile(path, JSON.stringify(tokenizer));
  return dir;
}

/** The engines' tokenizer with a template that says something else in front of every chat. */
async function otherTemplate(): Promise<string> {
  const dir = join(folder, 'other-template');
  await cp(simTokenizer, dir, { recursive: true });
  await writeFile(
    join(dir, 'chat_template.jinja'),
    '{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}',
  );
  return dir;
}
