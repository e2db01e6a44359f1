// What the router costs per request, beside a relay that knows nothing. Build first: node tools/dev/build.mjs
// Usage: node apps/router/src/bench/proxy.bench.ts [--smoke] [--suite NAME]   (NAME: 4KB, 30KB, 220KB, 500KB, SSE, or several with commas)
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startNats } from '@sluice/process';
import { idleShare, measure } from './load.bench.ts';
import type { Measured, Shape } from './load.bench.ts';
import type { KvAddresses } from './prefix-cache.bench.ts';
import { here, Processes, root } from './processes.bench.ts';

const smoke = process.argv.includes('--smoke');
const only = process.argv.includes('--suite') ? process.argv[process.argv.indexOf('--suite') + 1]!.split(',') : null;
const seconds = smoke ? 2 : 8;

const KB = 1024;
const SHAPES: readonly Shape[] = [
  { name: '4KB', bodyBytes: 4 * KB, prefixes: 64, prefixBytes: 3 * KB, streamed: false, connections: 16 },
  { name: '30KB', bodyBytes: 30 * KB, prefixes: 32, prefixBytes: 24 * KB, streamed: false, connections: 16 },
  { name: '220KB', bodyBytes: 220 * KB, prefixes: 8, prefixBytes: 200 * KB, streamed: false, connections: 8 },
  { name: '500KB', bodyBytes: 500 * KB, prefixes: 8, prefixBytes: 480 * KB, streamed: false, connections: 8 },
  { name: 'SSE', bodyBytes: 4 * KB, prefixes: 64, prefixBytes: 3 * KB, streamed: true, connections: 16 },
];
const shapes = SHAPES.filter(({ name }) => (only === null ? !smoke || name !== '500KB' : only.includes(name)));
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
/** Tokenising keeps the process of the engines busy: a look at one that is late must not take it out. */
const PATIENT = { ROUTER_SCRAPE_TIMEOUT_MS: '10000' };
const scratch = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const processes = new Processes(scratch);

function claim(id: string, value: number, unit: string): void {
  claims.push({ id: `proxy.${id}`, value: Number(value.toPrecision(4)), unit, bar: null, met: null });
}

/** What is measured: a process that takes requests. */
interface Arm {
  readonly name: 'relay' | 'router' | 'events';
  readonly url: string;
  readonly pid: number;
  /** Of its Prometheus page; null where it has none. */
  readonly metricsUrl: string | null;
}

/** Relay and router in front of engines without KV events, and a router whose engines have them, on a NATS of its own. */
async function startArms(workers: number, nats: readonly (string | null)[]): Promise<Arm[]> {
  const plain = await processes.start<{ urls: string[] }>([here('engines.bench.ts'), String(workers)]);
  const relay = await processes.start<{ url: string }>([here('relay.bench.ts'), ...plain.said.urls]);
  const { url, pid } = await processes.startRouter(plain.said.urls, nats[0]!, PATIENT);
  const arms: Arm[] = [
    { name: 'relay', url: relay.said.url, pid: relay.pid, metricsUrl: null },
    { name: 'router', url, pid, metricsUrl: null },
  ];
  const eventsNats = nats[1] ?? null;
  if (eventsNats === null) return arms;
  const engines = await processes.start<{ urls: string[]; kvEvents: KvAddresses[] }>([
    here('engines.bench.ts'),
    String(workers),
    '--kv-events',
  ]);
  const { urls, kvEvents } = engines.said;
  await processes.startBridge(urls, eventsNats, kvEvents);
  const router = await processes.startRouter(urls, eventsNats, PATIENT, kvEvents);
  return [...arms, { name: 'events', url: router.url, pid: router.pid, metricsUrl: `${router.adminUrl}/metrics` }];
}

/** Answers so far by how the predicted cached tokens compare with the engine's, and KV batches that were lost. */
async function exactness(metricsUrl: string): Promise<{ equal: number; all: number; gaps: number }> {
  const page = await (await fetch(metricsUrl)).text();
  const sum = (name: string, label = ''): number =>
    page
      .split('\n')
      .filter((line) => line.startsWith(`sluice_router_${name}{`) && line.includes(label))
      .reduce((total, line) => total + Number(line.split(' ').at(-1)), 0);
  const agreement = 'cached_prediction_total';
  return { equal: sum(agreement, '"equal"'), all: sum(agreement), gaps: sum('index_gaps_total') };
}

async function measureArm({ url, pid, metricsUrl }: Arm, shape: Shape): Promise<Measured & { exactShare?: number }> {
  if (metricsUrl === null) return measure(url, pid, shape, seconds);
  const before = await exactness(metricsUrl);
  const measured = await measure(url, pid, shape, seconds);
  const after = await exactness(metricsUrl);
  if (after.gaps > 0) throw new Error(`${after.gaps} KV batches were lost on their way to the router`);
  const answers = after.all - before.all;
  return answers === 0 ? measured : { ...measured, exactShare: (after.equal - before.equal) / answers };
}

/** CPU of a request without what the process takes anyway: arms that answer fewer a second are not charged more of it. */
const lessIdle = ({ cpuMsPerRequest, requests, seconds: spent }: Measured, idle: number): number =>
  cpuMsPerRequest - (idle * spent * 1000) / requests;

async function compare(workers: number, nats: readonly (string | null)[]): Promise<void> {
  try {
    const arms = await startArms(workers, nats);
    const shares = await Promise.all(arms.map(({ pid }) => idleShare(pid, smoke ? 2 : 10)));
    const idle = new Map(arms.map(({ name }, i) => [name, shares[i]!]));
    claim(`idle-core-share.${workers}-workers`, idle.get('router')!, 'cores');
    const percent = (idle.get('router')! * 100).toFixed(1);
    console.log(
      `\n${workers} workers: router idle at ${percent} % of a core (scrapes a vLLM metrics page every 500 ms)`,
    );
    const cells = (words: readonly string[]): string => words.map((word) => word.padEnd(11)).join('');
    const perArm = ['CPU ms', 'less idle', '/ relay', 'requests/s'];
    console.log(cells(['', ...arms.flatMap(({ name }) => [name, '', '', ''])]));
    console.log(cells(['', ...arms.flatMap(() => perArm)]));
    for (const shape of shapes) {
      const row: Partial<Record<Arm['name'], Measured & { exactShare?: number }>> = {};
      for (const arm of arms) {
        const measured = await measureArm(arm, shape);
        row[arm.name] = measured;
        const of = `${shape.name}.${workers}-workers`;
        claim(`${arm.name}-cpu-ms.${of}`, measured.cpuMsPerRequest, 'ms');
        if (arm.name !== 'relay') {
          claim(`${arm.name}-cpu-ms-less-idle.${of}`, lessIdle(measured, idle.get(arm.name)!), 'ms');
          claim(`${arm.name}-over-relay.${of}`, measured.cpuMsPerRequest / row.relay!.cpuMsPerRequest, 'ratio');
        }
        if (measured.exactShare !== undefined) claim(`${arm.name}-exact-share.${of}`, measured.exactShare, 'ratio');
      }
      const numbers = arms.flatMap(({ name }) => {
        const measured = row[name]!;
        return [
          measured.cpuMsPerRequest.toFixed(3),
          lessIdle(measured, idle.get(name)!).toFixed(3),
          (measured.cpuMsPerRequest / row.relay!.cpuMsPerRequest).toFixed(1),
          (measured.requests / measured.seconds).toFixed(0),
        ];
      });
      console.log(cells([shape.name, ...numbers]));
      data.push({ workers, shape, ...row });
    }
  } finally {
    processes.stopAll();
  }
}

async function startOneNats(name: string): Promise<{ url: string; stop(): Promise<unknown> } | null> {
  const port = await freePort();
  const server = await startNats({ port, dataDir: join(scratch, name), env: process.env }).catch(() => null);
  return server === null ? null : { url: `nats://127.0.0.1:${port}`, stop: () => server.stop() };
}

// One for each router: on the same one they would be siblings and share their bookings.
const nats = [await startOneNats('nats'), await startOneNats('nats-events')];
if (nats[0] === null) {
  console.log('nats-server is not on the PATH: outcomes are dropped instead of published, and there are no KV events');
}
try {
  for (const workers of [4, 100]) {
    await compare(
      workers,
      nats.map((server) => server?.url ?? null),
    );
  }
} finally {
  processes.stopAll();
  for (const server of nats) await server?.stop();
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
