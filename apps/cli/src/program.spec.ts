import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { freePort } from '@sluice/process';
import { buildProgram, EXIT } from './program.ts';

/** What the last run wrote to stderr. */
let complaint = '';

/** Runs the command line with its output swallowed. */
const run = (...args: string[]): Promise<number> => runIn({}, ...args);

async function runIn(env: Readonly<Record<string, string>>, ...args: string[]): Promise<number> {
  complaint = '';
  const { write } = process.stderr;
  const out = process.stdout.write;
  process.stderr.write = (text) => {
    complaint += String(text);
    return true;
  };
  process.stdout.write = () => true;
  try {
    return await buildProgram(env).run(['node', 'sluice', ...args]);
  } finally {
    process.stderr.write = write;
    process.stdout.write = out;
  }
}

describe('sluice', () => {
  it.each([
    [['up', '--engines', '0']],
    [['up', '--engines', 'many']],
    [['up', '--speed', '-1']],
    [['up', '--port', '99999']],
    [['up', '--engine', 'gpu-1:8000']],
    [['up', '--engine', 'http://gpu-1:8000/v1']],
    [['up', '--fleet', 'f.yaml', '--engine', 'http://gpu-1:8000']],
    [['up', '--colour']],
    [['simulate']],
    [['simulate', '--trace', 't.jsonl', '--workload', 'b2b']],
    [['simulate', '--trace', 't.jsonl', '--qps', '3']],
    [['simulate', '--workload', 'b2b', '--speed', '2']],
    [['simulate', '--workload', 'lunch']],
    [['simulate', '--workload', 'b2b', '--qps', '3,0']],
    [['simulate', '--workload', 'b2b', '--engines', '4x']],
    [['simulate', '--workload', 'b2b', '--kill', '3']],
    [['simulate', '--workload', 'b2b', '--routers', '0']],
    [['simulate', '--workload', 'b2b', '--lost-events', '2']],
    [['simulate', '--workload', 'b2b', '--columns', 'some']],
    [['simulate', '--trace', 't.jsonl', '--arrivals', 'poisson']],
    [['simulate', '--trace', 't.jsonl', '--format', 'xml']],
    [['simulate', '--trace', 't.jsonl', '--policy', 'fastest']],
    [['simulate', '--trace', 't.jsonl', '--policy', 'p2c,p2c']],
    [['simulate', '--trace', 't.jsonl', '--profile', 'abacus']],
    [['explain']],
    [['explain', 'last', '--admin', 'router:8081']],
    [['status', '--admin', 'http://router:8081/router']],
    [['workers', 'all']],
    [['requests', '--by', 'slowness']],
    [['requests', '--limit', '0']],
    [['up', '--policy', 'fastest']],
    [['index']],
    [['index', 'lookup']],
    [['doctor', '--engine', 'gpu-1:8000']],
    [['doctor', '--timeout', '0']],
    [['bench', '--qps', '0']],
    [['bench', '--prompt-tokens', '100', '--prefix-tokens', '200']],
    [['bench', '--speed', '2']],
    [['bench', '--trace', 't.jsonl', '--qps', '2']],
    [['bench', '--workload', 'b2b', '--prefixes', '2']],
    [['completion', 'tcsh']],
    [['fly']],
    [[]],
  ])('refuses %j with the exit code of wrong usage', async (args) => {
    expect(await run(...args)).toBe(EXIT.usage);
  });

  it.each([[['--help']], [['up', '--help']], [['simulate', '--help']], [['--version']]])(
    'answers %j with success',
    async (args) => {
      expect(await run(...args)).toBe(EXIT.ok);
    },
  );

  it.each([
    [['--policy', 'fastest'], 'dynamo-kv'],
    [['--profile', 'abacus'], 'qwen3-32b-tp2-h100'],
    [['--format', 'xml'], 'mooncake'],
    [['--workload', 'lunch'], 'reasoning'],
  ])('lists what there is for simulate %j', async (args, known) => {
    expect(await run('simulate', ...args)).toBe(EXIT.usage);
    expect(complaint).toContain(known);
  });

  it('tells the command or option that was meant', async () => {
    expect(await run('docter')).toBe(EXIT.usage);
    expect(complaint).toContain('Did you mean doctor?');
    expect(await run('bench', '--durations', '3')).toBe(EXIT.usage);
    expect(complaint).toContain('Did you mean --duration?');
    expect(await run('up', '--engines', 'http://gpu-1:8000')).toBe(EXIT.usage);
    expect(complaint).toContain('Did you mean --engine http://gpu-1:8000?');
  });

  it('says which ports in the environment are none', async () => {
    expect(await runIn({ SLUICE_PORT: '0', SLUICE_ADMIN_PORT: 'x' }, 'status')).toBe(EXIT.usage);
    expect(complaint).toBe(
      "sluice: SLUICE_PORT: '0' is no port: that is a whole number from 1 to 65535\n" +
        "sluice: SLUICE_ADMIN_PORT: 'x' is no port: that is a whole number from 1 to 65535\n",
    );
  });

  it('says which trace cannot be read, and fails', async () => {
    expect(await run('simulate', '--trace', '/nonexistent/trace.jsonl')).toBe(EXIT.failed);
    expect(complaint).toContain('/nonexistent/trace.jsonl');
  });

  it('says which admin API cannot be reached, and fails', async () => {
    const admin = `http://127.0.0.1:${await freePort()}`;
    for (const command of [['explain', 'last'], ['workers']]) {
      expect(await run(...command, '--admin', admin)).toBe(EXIT.failed);
      expect(complaint).toMatch(/^sluice \w+: cannot reach http:\S+: connection refused/);
    }
    expect(await run('status', '--admin', admin)).toBe(EXIT.failed);
  });

  it('says which engine wants a key, and never shows the one it was given', async () => {
    const engine = createHttpServer((_request, response) => response.writeHead(401, { connection: 'close' }).end());
    await once(engine.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(engine.address() as AddressInfo).port}`;
    const ports = ['--port', String(await freePort()), '--admin-port', String(await freePort())];
    expect(await run('up', '--engine', url, ...ports)).toBe(EXIT.failed);
    expect(complaint).toBe(
      `sluice up: ${url} wants a key: --api-key KEY, or VLLM_API_KEY in the environment; a fleet file needs none\n`,
    );
    expect(await runIn({ VLLM_API_KEY: 'sk-secret' }, 'up', '--engine', url, ...ports)).toBe(EXIT.failed);
    expect(complaint).toContain(`${url} wants another key than it was given: --api-key KEY`);
    expect(complaint).not.toContain('sk-secret');
    engine.close();
  });

  it('says which ports are taken, all of them', async () => {
    const [first, second] = [createServer(), createServer()].map((server) => server.listen(0, '127.0.0.1'));
    await Promise.all([once(first!, 'listening'), once(second!, 'listening')]);
    const [port, adminPort] = [first!, second!].map((server) => String((server.address() as AddressInfo).port));
    expect(await run('up', '--port', port!, '--admin-port', adminPort!)).toBe(EXIT.failed);
    expect(complaint).toBe(
      `sluice up: ports ${port} and ${adminPort} are taken, perhaps by another 'sluice up': choose others with --port and --admin-port\n`,
    );
    first!.close();
    second!.close();
  });

  it('says which fleet file cannot be read, and fails', async () => {
    expect(await run('up', '--fleet', '/nonexistent/fleet.yaml')).toBe(EXIT.failed);
  });
});

describe('an unsupported Node', () => {
  it('is told so in one line', async () => {
    const script = `Object.defineProperty(process.versions, 'node', { value: '20.1.0' });
      process.argv = [process.argv[0], 'run.mjs', 'cli', 'up'];
      await import(${JSON.stringify(new URL('../../../tools/dev/run.mjs', import.meta.url).href)});`;
    const failed = (await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]).catch(
      (error: unknown) => error,
    )) as { code: number; stderr: string };
    expect(failed.code).toBe(1);
    expect(failed.stderr.trim().split('\n')).toHaveLength(1);
    expect(failed.stderr).toMatch(/needs Node 24 or newer/);
  });
});
