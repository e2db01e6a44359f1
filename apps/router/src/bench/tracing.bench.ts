// What tracing costs the router: CPU per request with tracing disabled, and with 0, 10 and 100 % of the requests sampled.
// Build first: node tools/dev/build.mjs. Usage: node apps/router/src/bench/tracing.bench.ts [--smoke] [--suite NAME] [--lives N]
// NAME is SHAPE-WORKERS: 4KB-4, SSE-4, 4KB-100 or SSE-100; or calls: those of tracing alone, in this process.
//
// Four routers run side by side and take turns of a fraction of a second, in an order that changes, so that whatever else
// the machine does meets all of them. What counts is the processor time of each process over all turns, its own and those
// of the others: spans are sent later than they are made. It is done in several lives of the processes, because one life's
// layout of code and memory is worth some percent by itself.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startNats } from '@sluice/process';
import { cpuMs, Load } from './load.bench.ts';
import type { Shape } from './load.bench.ts';
import { here, Processes, root } from './processes.bench.ts';
import type { RunningRouter } from './processes.bench.ts';
import { callsUs } from './tracing-calls.bench.ts';

const asked = process.argv.slice(2);
const smoke = asked.includes('--smoke');
const only = asked.includes('--suite') ? asked[asked.indexOf('--suite') + 1] : null;
const livesAsked = asked.includes('--lives') ? Number(asked[asked.indexOf('--lives') + 1]) : 2;
if (!(Number.isInteger(livesAsked) && livesAsked > 0)) throw new RangeError('--lives takes a whole number above 0');
const lives = smoke ? 1 : livesAsked;
/** With one request in ten sampled, tracing may cost at most so much. */
const MOST_AT_TENTH = 1.1;

/** A kind of request, and how many make up a turn, and the warming-up before the first: code is compiled for long. */
interface Part {
  readonly id: string;
  readonly workers: number;
  readonly shape: Shape;
  readonly rounds: number;
  readonly turn: number;
  readonly warmUp: number;
}
const body = { bodyBytes: 4096, prefixes: 64, prefixBytes: 3072 };
const whole: Shape = { ...body, name: '4KB', streamed: false, connections: 16 };
const streamed: Shape = { ...body, name: 'SSE', streamed: true, connections: 64 };
const PARTS: readonly Part[] = [4, 100].flatMap((workers) => [
  { id: `4KB-${workers}`, workers, shape: whole, rounds: 100, turn: 100, warmUp: 16_000 },
  { id: `SSE-${workers}`, workers, shape: streamed, rounds: 20, turn: 64, warmUp: 512 },
]);
const SHARES = { off: null, '0 %': '0', '10 %': '0.1', '100 %': '1' } as const;
type Share = keyof typeof SHARES;
const CALLS = 'calls';
const parts = PARTS.filter(({ id }) => (only === null ? !smoke || id === '4KB-4' : id === only));
if (parts.length === 0 && only !== CALLS) {
  throw new Error(`no suite '${only}'; there are ${PARTS.map(({ id }) => id).join(', ')}, ${CALLS}`);
}

interface Claim {
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: number | null;
  readonly met: boolean | null;
}
const claims: Claim[] = [];
const data: object[] = [];
const scratch = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const processes = new Processes(scratch);
const natsPort = await freePort();
const nats = await startNats({ port: natsPort, dataDir: join(scratch, 'nats'), env: process.env }).catch(() => null);

/** A receiver that takes everything and looks at nothing: decoding would make the load wait. */
let receivedBytes = 0;
const receiver = createServer((request, response) => {
  request.on('data', (chunk: Buffer) => (receivedBytes += chunk.length));
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
});
await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
const endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;

function environment(share: string | null): Record<string, string> {
  // looks at a hundred engines, by four routers at one time, would leave no processor for the requests
  const quiet = { ROUTER_SCRAPE_MS: '5000' };
  if (share === null) return { ...quiet, OTEL_SDK_DISABLED: 'true' };
  return {
    ...quiet,
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: share,
  };
}

/** Each round begins with another one, and every second one goes backwards. */
function turned<T>(list: readonly T[], round: number): readonly T[] {
  const from = round % list.length;
  const order = [...list.slice(from), ...list.slice(0, from)];
  return round % 2 === 0 ? order : order.reverse();
}

async function send(load: Load, requests: number, headers?: Record<string, string>): Promise<void> {
  let left = requests;
  await load.run(() => left-- <= 0, headers);
}

/** As a client sends them that has sampled the request. */
const SAMPLED = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };

type CpuMs = Record<Share, number>;

/** One life of the four routers: CPU of each, in milliseconds per request. */
async function live({ workers, shape, rounds, turn, warmUp }: Part, urls: readonly string[]): Promise<CpuMs> {
  const running: { share: Share; router: RunningRouter; load: Load }[] = [];
  try {
    for (const [share, arg] of Object.entries(SHARES) as [Share, string | null][]) {
      const natsUrl = nats === null ? null : `nats://127.0.0.1:${natsPort}`;
      const router = await processes.startRouter(urls, natsUrl, environment(arg));
      running.push({ share, router, load: new Load(router.url, shape) });
    }
    for (const { load } of running) {
      await send(load, Math.max(warmUp, workers * shape.prefixes));
      // a router that has run for a while has compiled what one request in ten needs
      await send(load, warmUp / 4, SAMPLED);
    }
    const before = running.map(({ router }) => cpuMs(router.pid));
    for (let round = 0; round < rounds; round++) {
      for (const { load } of turned(running, round)) await send(load, turn);
    }
    const perRequest = running.map(({ share, router }, i) => {
      return [share, (cpuMs(router.pid) - before[i]!) / (rounds * turn)] as const;
    });
    return Object.fromEntries(perRequest) as CpuMs;
  } finally {
    for (const { router } of running) router.stop();
  }
}

async function compare(part: Part): Promise<void> {
  const engines = await processes.start<{ urls: string[] }>([here('engines.bench.ts'), String(part.workers)]);
  const all: CpuMs[] = [];
  for (let life = 0; life < lives; life++) all.push(await live(part, engines.said.urls));
  engines.stop();
  const mean = (share: Share): number => all.reduce((sum, life) => sum + life[share], 0) / lives;
  for (const share of Object.keys(SHARES) as Share[]) {
    const cpu = mean(share);
    const ofLives = all.map((life) => (life[share] / life.off).toFixed(3)).join(' ');
    const ratio = cpu / mean('off');
    console.log(
      `${part.id.padEnd(9)}${share.padEnd(7)}${cpu.toFixed(3).padEnd(8)}${ratio.toFixed(3)}  (lives: ${ofLives})`,
    );
    if (share === 'off') continue;
    const isClaim = share === '10 %';
    claims.push({
      id: `tracing.cpu-ratio.${share.replace(' %', '')}.${part.shape.name}.${part.workers}-workers`,
      value: Number(ratio.toPrecision(4)),
      unit: 'ratio',
      bar: isClaim ? MOST_AT_TENTH : null,
      met: isClaim ? ratio <= MOST_AT_TENTH : null,
    });
  }
  data.push({ part: part.id, shape: part.shape, cpuMsPerRequest: all });
  writeReport();
}

/** What the calls cost by themselves, the receiver's part included. */
async function calls(candidates: number): Promise<void> {
  const off = await callsUs(null, candidates, endpoint);
  for (const [share, arg] of Object.entries(SHARES)) {
    if (arg === null) continue;
    const value = Number(((await callsUs(arg, candidates, endpoint)) - off).toPrecision(3));
    console.log(`calls    ${share.padEnd(7)}${value} us, ${candidates} candidates`);
    const id = `tracing.calls-us.${share.replace(' %', '')}.${candidates}-candidates`;
    claims.push({ id, value, unit: 'us', bar: null, met: null });
  }
  writeReport();
}

/** After every part: a run that is cut short leaves what it has measured. */
function writeReport(): void {
  const report = {
    suite: 'tracing',
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim(),
    machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
    node: process.version,
    command: ['npm run bench:tracing', ...(asked.length > 0 ? ['--', ...asked] : [])].join(' '),
    claims,
    data,
  };
  mkdirSync(join(root, 'bench-results'), { recursive: true });
  writeFileSync(join(root, 'bench-results/tracing.json'), `${JSON.stringify(report, null, 2)}\n`);
}

try {
  if (only === null || only === CALLS) for (const candidates of [4, 100]) await calls(candidates);
  if (parts.length > 0) console.log('CPU of the router, ms per request, and against tracing off');
  for (const part of parts) await compare(part);
  if (receivedBytes === 0) throw new Error('no span was received: nothing was measured');
} finally {
  processes.stopAll();
  receiver.close();
  receiver.closeAllConnections();
  await nats?.stop();
  rmSync(scratch, { recursive: true, force: true });
}

console.log();
for (const { id, value, unit, bar, met } of claims) {
  console.log(`${id} ${value} ${unit} ${bar === null ? '(no bar)' : `(bar ${bar}: ${met ? 'met' : 'NOT met'})`}`);
}
