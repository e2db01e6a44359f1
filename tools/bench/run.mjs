// Runs the benchmark scripts of a suite and writes bench-results/<suite>.json:
//   node tools/bench/run.mjs SUITE [--smoke] [--suite PART] [further arguments for the scripts]
// A script prints one JSON object {suite, claims: [{id, value, unit, bar?, met?}], data?} on standard output.
// The claims are the last lines printed. A claim that was not measured is absent.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** Suites and their parts; a part is a script beside the code that it measures. */
const SUITES = {
  index: ['libs/prefix-index/src/prefix-index.bench.ts'],
  routing: ['libs/routing/src/routing.bench.ts', 'libs/latency-model/src/predict.bench.ts'],
};

const [suite, ...given] = process.argv.slice(2);
const at = given.indexOf('--suite');
const only = at < 0 ? null : given[at + 1];
const args = at < 0 ? given : given.toSpliced(at, 2);
const partOf = (script) => basename(script, '.bench.ts');
const scripts = (SUITES[suite] ?? []).filter((script) => only === null || partOf(script) === only);
if (scripts.length === 0) {
  const parts = (SUITES[suite] ?? []).map(partOf).join(', ');
  console.error(
    parts
      ? `suite ${suite} has the parts ${parts}`
      : `usage: bench ${Object.keys(SUITES).join('|')} [--smoke] [--suite PART]`,
  );
  process.exit(2);
}

const claims = [];
const data = {};
for (const script of scripts) {
  const node = ['--conditions=@sluice/source', '--expose-gc', '--no-warnings', join(root, script), ...args];
  const run = spawnSync(process.execPath, node, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  });
  if (run.status !== 0) {
    console.error(`${script} ended with ${run.status ?? run.signal}`);
    process.exit(1);
  }
  const result = JSON.parse(run.stdout);
  claims.push(...result.claims.map((claim) => ({ bar: null, met: null, ...claim })));
  data[partOf(script)] = result.data ?? null;
}

const git = () => {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null;
  }
};
const cpus = os.cpus();
const report = {
  suite,
  commit: git(),
  machine: `${cpus.length} x ${cpus[0]?.model ?? 'unknown'}, ${Math.round(os.totalmem() / 2 ** 30)} GiB`,
  node: process.version,
  command: `npm run bench:${suite} -- ${given.join(' ')}`.replace(/ -- $/, ''),
  claims,
  data,
};
mkdirSync(join(root, 'bench-results'), { recursive: true });
writeFileSync(join(root, 'bench-results', `${suite}.json`), `${JSON.stringify(report, null, 2)}\n`);
for (const { id, value, unit, met } of claims) {
  console.log(
    `${id.padEnd(40)} ${String(value).padStart(12)} ${unit}${met === null ? '' : met ? '  met' : '  NOT MET'}`,
  );
}
