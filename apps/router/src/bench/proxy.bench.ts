// What the router costs per request, beside a relay that knows nothing. Build first: node tools/dev/build.mjs
// Usage: node apps/router/src/bench/proxy.bench.ts [--smoke] [--suite NAME]   (NAME: 4KB, 30KB, 220KB, 500KB, SSE)
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort, startNats } from '@sluice/process';
import { idleShare, measure } from './load.bench.ts';
import type { Measured, Shape } from './load.bench.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const smoke = process.argv.includes('--smoke');
const only = process.argv.includes('--suite') ? process.argv[process.argv.indexOf('--suite') + 1] : null;
const seconds = smoke ? 2 : 8;

const KB = 1024;
const SHAPES: readonly Shape[] = [
  { name: '4KB', bodyBytes: 4 * KB, prefixes: 64, prefixBytes: 3 * KB, streamed: false, connections: 16 },
  { name: '30KB', bodyBytes: 30 * KB, prefixes: 32, prefixBytes: 24 * KB, streamed: false, connections: 16 },
  { name: '220KB', bodyBytes: 220 * KB, prefixes: 8, prefixBytes: 200 * KB, streamed: false, connections: 8 },
  { name: '500KB', bodyBytes: 500 * KB, prefixes: 8, prefixBytes: 480 * KB, streamed: false, connections: 8 },
  { name: 'SSE', bodyBytes: 4 * KB, prefixes: 64, prefixBytes: 3 * KB, streamed: true, connections: 16 },
];
const shapes = SHAPES.filter(({ name }) => (only === null ? !smoke || name !== '500KB' : name === only));
if (shapes.length === 0) throw new Error(`no suite '${only}'; there are ${SHAPES.map(({ name }) => name).join(', ')}`);

interface Claim {
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: null;
  readonly met: null;
}
const claims: Claim[] = [];
const data: object[] = [];
const children: ChildProcess[] = [];
const scratch = mkdtempSync(join(tmpdir(), 'sluice-bench-'));

/** Starts a process and resolves with the first JSON line that it prints. */
async function start<T>(
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ pid: number; said: T; stop: () => void }> {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    child.stdout.resume();
    return { pid: child.pid!, said: JSON.parse(line) as T, stop: () => child.kill('SIGKILL') };
  }
  throw new Error(`${args[0]} ended at its start`);
}

/** The router as it is deployed: its own process, its own main, every worker of the pool, the simulator's tokenizer. */
async function startRouter(
  urls: readonly string[],
  natsUrl: string | null,
): Promise<{ url: string; pid: number; stop: () => void }> {
  const fleet = join(scratch, `fleet-${urls.length}.json`);
  const engines = urls.map((url, i) => ({ id: `w${i}`, url, kvEvents: null }));
  const tokenizer = join(root, 'apps/engine-sim/assets/tokenizer');
  writeFileSync(fleet, JSON.stringify({ version: 1, pools: [{ id: 'bench', models: ['bench'], tokenizer, engines }] }));
  const [port, adminPort] = [await freePort(), await freePort()];
  const env = {
    ...process.env,
    SLUICE_FLEET: fleet,
    SLUICE_LOG_LEVEL: 'silent',
    SLUICE_NATS_URL: natsUrl ?? 'nats://127.0.0.1:1',
    SLUICE_REDIS_URL: 'redis://127.0.0.1:1',
    ROUTER_PORT: String(port),
    ROUTER_ADMIN_PORT: String(adminPort),
  };
  const child = spawn(process.execPath, [join(root, 'apps/router/dist/main.js')], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.push(child);
  for (let i = 0; ; i++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const ready = await fetch(`http://127.0.0.1:${adminPort}/readyz`).then(
      (answer) => (answer.ok ? answer.text() : ''),
      () => '',
    );
    if (ready.includes(`${urls.length} of ${urls.length} up`)) break;
    if (i > 100 || child.exitCode !== null) throw new Error('the router did not become ready');
  }
  return { url: `http://127.0.0.1:${port}`, pid: child.pid!, stop: () => child.kill('SIGKILL') };
}

function claim(id: string, value: number, unit: string): void {
  claims.push({ id: `proxy.${id}`, value: Number(value.toPrecision(4)), unit, bar: null, met: null });
}

async function compare(workers: number, natsUrl: string | null): Promise<void> {
  const engines = await start<{ urls: string[] }>([here('engines.bench.ts'), String(workers)]);
  const relay = await start<{ url: string }>([here('relay.bench.ts'), ...engines.said.urls]);
  const router = await startRouter(engines.said.urls, natsUrl);
  try {
    const idle = await idleShare(router.pid, smoke ? 2 : 10);
    claim(`idle-core-share.${workers}-workers`, idle, 'cores');
    console.log(
      `\n${workers} workers: router idle at ${(idle * 100).toFixed(1)} % of a core (scrapes a vLLM metrics page every 500 ms)`,
    );
    console.log('              CPU ms per request     p50 ms (closed loop)   requests/s');
    console.log('              relay      router      relay      router      relay    router');
    for (const shape of shapes) {
      const results: Record<string, Measured> = {};
      for (const [name, target] of [
        ['relay', { url: relay.said.url, pid: relay.pid }],
        ['router', router],
      ] as const) {
        results[name] = await measure(target.url, target.pid, shape, seconds);
        claim(`${name}-cpu-ms.${shape.name}.${workers}-workers`, results[name].cpuMsPerRequest, 'ms');
      }
      const { relay: a, router: b } = results as { relay: Measured; router: Measured };
      claim(`router-over-relay.${shape.name}.${workers}-workers`, b.cpuMsPerRequest / a.cpuMsPerRequest, 'ratio');
      const cell = (value: number, digits = 3): string => value.toFixed(digits).padEnd(11);
      console.log(
        `${shape.name.padEnd(14)}${cell(a.cpuMsPerRequest)}${cell(b.cpuMsPerRequest)} ${cell(a.p50Ms, 2)}${cell(b.p50Ms, 2)} ` +
          `${cell(a.requests / a.seconds, 0)}${cell(b.requests / b.seconds, 0)}`,
      );
      data.push({ workers, shape, relay: a, router: b });
    }
  } finally {
    for (const part of [router, relay, engines]) part.stop();
  }
}

const natsPort = await freePort();
const nats = await startNats({ port: natsPort, dataDir: join(scratch, 'nats'), env: process.env }).catch(() => null);
if (nats === null) console.log('nats-server is not on the PATH: outcomes are dropped instead of published');
try {
  for (const workers of [4, 100]) await compare(workers, nats === null ? null : `nats://127.0.0.1:${natsPort}`);
} finally {
  for (const child of children) child.kill('SIGKILL');
  await nats?.stop();
  rmSync(scratch, { recursive: true, force: true });
}

const report = {
  suite: 'proxy',
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim(),
  machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
  node: process.version,
  command: `npm run bench:proxy --${process.argv
    .slice(2)
    .map((word) => ` ${word}`)
    .join('')}`,
  claims,
  data,
};
mkdirSync(join(root, 'bench-results'), { recursive: true });
writeFileSync(join(root, 'bench-results/proxy.json'), `${JSON.stringify(report, null, 2)}\n`);
console.log();
for (const { id, value, unit } of claims) console.log(`${id} ${value} ${unit} (no bar)`);
