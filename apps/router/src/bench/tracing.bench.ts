// What tracing costs the router: CPU per request with tracing off, and at 0, 10 and 100 % of the requests.
// Build first: node tools/dev/build.mjs. Usage: node apps/router/src/bench/tracing.bench.ts [--smoke] [--suite NAME]   (NAME: 4KB, SSE)
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startNats } from '@sluice/process';
import { startOtlpReceiver } from '@sluice/telemetry/testing';
import { measure } from './load.bench.ts';
import type { Shape } from './load.bench.ts';
import { here, Processes, root } from './processes.bench.ts';
import type { RunningRouter } from './processes.bench.ts';

const smoke = process.argv.includes('--smoke');
const only = process.argv.includes('--suite') ? process.argv[process.argv.indexOf('--suite') + 1] : null;
const seconds = smoke ? 1 : 2;
const rounds = smoke ? 2 : 9;
/** The claim of the issue that asked for traces: at most so much more at 10 %. */
const MOST_AT_TENTH = 1.1;

const SHAPES: readonly Shape[] = [
  { name: '4KB', bodyBytes: 4096, prefixes: 64, prefixBytes: 3072, streamed: false, connections: 16 },
  { name: 'SSE', bodyBytes: 4096, prefixes: 64, prefixBytes: 3072, streamed: true, connections: 16 },
];
const SHARES = { off: null, '0 %': '0', '10 %': '0.1', '100 %': '1' } as const;
type Share = keyof typeof SHARES;
const shapes = SHAPES.filter(({ name }) => (only === null ? !smoke || name === '4KB' : name === only));
if (shapes.length === 0) throw new Error(`no suite '${only}'; there are ${SHAPES.map(({ name }) => name).join(', ')}`);

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
const receiver = await startOtlpReceiver();
const natsPort = await freePort();
const nats = await startNats({ port: natsPort, dataDir: join(scratch, 'nats'), env: process.env }).catch(() => null);

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Each round begins with another one. */
const turned = <T>(list: readonly T[], by: number): readonly T[] => {
  const at = (by + list.length) % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
};

function environment(share: string | null): Record<string, string> {
  if (share === null) return { OTEL_SDK_DISABLED: 'true' };
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: share,
    OTEL_BSP_SCHEDULE_DELAY: '1000',
  };
}

/** Rounds of all routers in turn, so that what else the machine does falls on each of them alike. */
async function compare(workers: number, shape: Shape): Promise<void> {
  const engines = await processes.start<{ urls: string[] }>([here('engines.bench.ts'), String(workers)]);
  const routers = new Map<Share, RunningRouter>();
  try {
    for (const [share, arg] of Object.entries(SHARES) as [Share, string | null][]) {
      const natsUrl = nats === null ? null : `nats://127.0.0.1:${natsPort}`;
      routers.set(share, await processes.startRouter(engines.said.urls, natsUrl, environment(arg)));
    }
    const cpuMs = new Map<Share, number[]>([...routers.keys()].map((share) => [share, []]));
    // the first round warms up
    for (let round = -1; round < rounds; round++) {
      for (const [share, { url, pid }] of turned([...routers], round)) {
        const { cpuMsPerRequest } = await measure(url, pid, shape, seconds);
        if (round >= 0) cpuMs.get(share)!.push(cpuMsPerRequest);
      }
    }
    const off = cpuMs.get('off')!;
    for (const [share, own] of cpuMs) {
      const ratio = median(own.map((value, round) => value / off[round]!));
      console.log(
        `${`${workers} workers`.padEnd(13)}${shape.name.padEnd(6)}${share.padEnd(7)}${median(own).toFixed(3)}      ${ratio.toFixed(3)}`,
      );
      if (share === 'off') continue;
      const isClaim = share === '10 %';
      claims.push({
        id: `tracing.cpu-ratio.${share.replace(' %', '')}.${shape.name}.${workers}-workers`,
        value: Number(ratio.toPrecision(4)),
        unit: 'ratio',
        bar: isClaim ? MOST_AT_TENTH : null,
        met: isClaim ? ratio <= MOST_AT_TENTH : null,
      });
    }
    data.push({ workers, shape, cpuMs: Object.fromEntries(cpuMs) });
  } finally {
    for (const { stop } of routers.values()) stop();
    engines.stop();
  }
}

try {
  console.log('CPU of the router per request, ms (median of rounds), and against tracing off in the same round');
  for (const workers of smoke ? [4] : [4, 100]) for (const shape of shapes) await compare(workers, shape);
  console.log(`${receiver.spans.length} spans were received`);
} finally {
  processes.stopAll();
  await receiver.close();
  await nats?.stop();
  rmSync(scratch, { recursive: true, force: true });
}

const report = {
  suite: 'tracing',
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim(),
  machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
  node: process.version,
  command: `npm run bench:tracing${smoke ? ' -- --smoke' : ''}`,
  claims,
  data,
};
mkdirSync(join(root, 'bench-results'), { recursive: true });
writeFileSync(join(root, 'bench-results/tracing.json'), `${JSON.stringify(report, null, 2)}\n`);
console.log();
for (const { id, value, unit, bar, met } of claims) {
  console.log(`${id} ${value} ${unit} ${bar === null ? '(no bar)' : `(bar ${bar}: ${met ? 'met' : 'NOT met'})`}`);
}
