// What the router costs per request, beside a relay that knows nothing. Build first: node tools/dev/build.mjs
// Usage: node apps/router/src/bench/proxy.bench.ts [--smoke] [--suite NAME]   (NAME: 4KB, 30KB, 220KB, 500KB, SSE)
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startNats } from '@sluice/process';
import { idleShare, measure } from './load.bench.ts';
import type { Measured, Shape } from './load.bench.ts';
import { here, Processes, root } from './processes.bench.ts';

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
const scratch = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const processes = new Processes(scratch);

function claim(id: string, value: number, unit: string): void {
  claims.push({ id: `proxy.${id}`, value: Number(value.toPrecision(4)), unit, bar: null, met: null });
}

async function compare(workers: number, natsUrl: string | null): Promise<void> {
  const engines = await processes.start<{ urls: string[] }>([here('engines.bench.ts'), String(workers)]);
  const relay = await processes.start<{ url: string }>([here('relay.bench.ts'), ...engines.said.urls]);
  const router = await processes.startRouter(engines.said.urls, natsUrl);
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
  processes.stopAll();
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
