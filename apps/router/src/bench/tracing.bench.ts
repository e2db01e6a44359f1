// What tracing costs the router: CPU per request with tracing off, and with 0, 10 and 100 % of the requests sampled.
// Build first: node tools/dev/build.mjs. Usage: node apps/router/src/bench/tracing.bench.ts [--smoke] [--suite NAME] [--lives N] [--arms A,B]
// NAME is SHAPE-WORKERS: 4KB-4, SSE-4, 4KB-100 or SSE-100; or calls: those of tracing alone, in this process. A and B are what is
// compared with off: 'off again', '0 %', '10 %', '100 %', disabled.
//
// One running router changes its ROUTER_TRACE_SAMPLE from turn to turn, in an order that changes: two processes of the same
// program differ by some percent by their layout of code and memory alone, and whatever else the machine does meets all
// settings. A turn lasts until its spans are sent. Off has two turns in each round, so that the noise shows: they should be
// equal. A second router, with OTEL_SDK_DISABLED, takes turns as well: does it cost anything that tracing could be turned on?
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startNats, startRedis } from '@sluice/process';
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
  { id: `4KB-${workers}`, workers, shape: whole, rounds: 24, turn: 1000, warmUp: 16_000 },
  { id: `SSE-${workers}`, workers, shape: streamed, rounds: 24, turn: 128, warmUp: 512 },
]);
/** What a turn is measured under: the value of ROUTER_TRACE_SAMPLE, or a router that cannot trace. */
const ARMS = { off: 'off', 'off again': 'off', '0 %': '0', '10 %': '0.1', '100 %': '1', disabled: null } as const;
type Arm = keyof typeof ARMS;
const armsAsked = asked.includes('--arms') ? asked[asked.indexOf('--arms') + 1]!.split(',') : Object.keys(ARMS);
const unknown = armsAsked.filter((arm) => !(arm in ARMS));
if (unknown.length > 0) throw new Error(`no arm '${unknown.join()}'; there are ${Object.keys(ARMS).join(', ')}`);
const NAMES = (Object.keys(ARMS) as Arm[]).filter((arm) => arm === 'off' || armsAsked.includes(arm));
/** Spans are sent at least so often; a turn ends when that has passed twice. */
const EXPORT_MS = 200;
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
// settings that change while the router runs are kept in Redis
const redisPort = await freePort();
const redis = await startRedis({ port: redisPort, dataDir: join(scratch, 'redis'), env: process.env });

/** A receiver that takes everything and looks at nothing: decoding would make the load wait. */
let receivedBytes = 0;
const receiver = createServer((request, response) => {
  request.on('data', (chunk: Buffer) => (receivedBytes += chunk.length));
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
});
await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
const endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;

function environment(isDisabled: boolean): Record<string, string> {
  return {
    SLUICE_REDIS_URL: `redis://127.0.0.1:${redisPort}`,
    // looks at a hundred engines, by two routers at one time, would leave no processor for the requests
    ROUTER_SCRAPE_MS: '5000',
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_BSP_SCHEDULE_DELAY: String(EXPORT_MS),
    ...(isDisabled && { OTEL_SDK_DISABLED: 'true' }),
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** From the next request on. */
async function setShare(router: RunningRouter, share: string): Promise<void> {
  const answer = await fetch(`${router.adminUrl}/config`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ settings: { ROUTER_TRACE_SAMPLE: share } }),
  });
  if (!answer.ok) throw new Error(`ROUTER_TRACE_SAMPLE=${share}: ${answer.status} ${await answer.text()}`);
}

/** Every second round is the one before backwards, and each pair begins with another one. */
function turned<T>(list: readonly T[], round: number): readonly T[] {
  const from = (round >> 1) % list.length;
  const order = [...list.slice(from), ...list.slice(0, from)];
  return round % 2 === 0 ? order : order.reverse();
}

async function send(load: Load, requests: number, headers?: Record<string, string>): Promise<void> {
  let left = requests;
  await load.run(() => left-- <= 0, headers);
}

/** As a client sends them that has sampled the request. */
const SAMPLED = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };

/** CPU of each round's turn, in milliseconds per request. */
type CpuMs = Record<Arm, number[]>;

/** One life of the two routers. */
async function live({ workers, shape, rounds, turn, warmUp }: Part, urls: readonly string[]): Promise<CpuMs> {
  const start = async (isDisabled: boolean): Promise<{ router: RunningRouter; load: Load }> => {
    const natsUrl = nats === null ? null : `nats://127.0.0.1:${natsPort}`;
    const router = await processes.startRouter(urls, natsUrl, environment(isDisabled));
    return { router, load: new Load(router.url, shape) };
  };
  const [tracing, disabled] = [await start(false), await start(true)];
  try {
    for (const { load } of [tracing, disabled]) {
      await send(load, Math.max(warmUp, workers * shape.prefixes));
      // a router that has run for a while has compiled what one request in ten needs
      await send(load, warmUp / 4, SAMPLED);
    }
    const cpu = Object.fromEntries(NAMES.map((arm) => [arm, [] as number[]])) as CpuMs;
    for (let round = 0; round < (smoke ? 2 : rounds); round++) {
      for (const arm of turned(NAMES, round)) {
        const { router, load } = arm === 'disabled' ? disabled : tracing;
        if (ARMS[arm] !== null) await setShare(router, ARMS[arm]);
        // what a change of settings costs by itself is over after these, and every arm begins alike
        await send(load, turn / 4);
        await pause(EXPORT_MS);
        const before = cpuMs(router.pid);
        await send(load, turn);
        await pause(2 * EXPORT_MS);
        cpu[arm].push((cpuMs(router.pid) - before) / turn);
      }
    }
    return cpu;
  } finally {
    for (const { router } of [tracing, disabled]) router.stop();
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;

/** Against off: of all turns, and twice the standard error of it, by the ratios of the rounds. */
function againstOff(cpu: CpuMs, arm: Arm): { ratio: number; plusMinus: number } {
  const ratio = sum(cpu[arm]) / sum(cpu.off);
  const ofRounds = cpu[arm].map((value, round) => value / cpu.off[round]!);
  const variance = sum(ofRounds.map((value) => (value - mean(ofRounds)) ** 2)) / (ofRounds.length - 1);
  return { ratio, plusMinus: 2 * Math.sqrt(variance / ofRounds.length) };
}

async function compare(part: Part): Promise<void> {
  const engines = await processes.start<{ urls: string[] }>([here('engines.bench.ts'), String(part.workers)]);
  const all: CpuMs[] = [];
  for (let life = 0; life < lives; life++) all.push(await live(part, engines.said.urls));
  engines.stop();
  const together = Object.fromEntries(NAMES.map((arm) => [arm, all.flatMap((life) => life[arm])])) as CpuMs;
  for (const arm of NAMES) {
    const { ratio, plusMinus } = againstOff(together, arm);
    const ofLives = all.map((life) => againstOff(life, arm).ratio.toFixed(3)).join(' ');
    const cells = [part.id.padEnd(9), arm.padEnd(11), mean(together[arm]).toFixed(3).padEnd(8)];
    console.log(`${cells.join('')}${ratio.toFixed(3)} ± ${plusMinus.toFixed(3)}  (lives: ${ofLives})`);
    if (arm === 'off') continue;
    const isClaim = arm === '10 %';
    claims.push({
      id: `tracing.cpu-ratio.${arm.replace(' %', '').replace(' ', '-')}.${part.shape.name}.${part.workers}-workers`,
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
  for (const arm of ['0 %', '10 %', '100 %'] as const) {
    const value = Number(((await callsUs(ARMS[arm], candidates, endpoint)) - off).toPrecision(3));
    console.log(`calls    ${arm.padEnd(7)}${value} us, ${candidates} candidates`);
    const id = `tracing.calls-us.${arm.replace(' %', '')}.${candidates}-candidates`;
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
  await redis.stop();
  rmSync(scratch, { recursive: true, force: true });
}

console.log();
for (const { id, value, unit, bar, met } of claims) {
  console.log(`${id} ${value} ${unit} ${bar === null ? '(no bar)' : `(bar ${bar}: ${met ? 'met' : 'NOT met'})`}`);
}
