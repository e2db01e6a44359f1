// Runs the benchmark scripts of a suite and writes bench-results/<suite>.json:
//   node tools/bench/run.mjs SUITE [--smoke] [--suite PART] [--write] [further arguments for the scripts]
// A script prints one JSON object {suite, claims: [{id, value, unit, bar?, met?}], tables?, data?} on standard output.
// The claims are the last lines printed. A claim that was not measured is absent.
// --write puts the tables into docs/benchmarks.md: table NAME between <!-- NAME --> and <!-- /NAME -->.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { basename, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

const ROUTING_PARTS = [
  'b0',
  'b1-verbatim',
  'b1-unique',
  'b2',
  'b3-307k',
  'b3-1m',
  'b3-3m',
  'b4',
  'b5-loads',
  'b5-signals',
  'fairness',
];

/** Suites and their parts; a part is a script beside the code that it measures. `byName`: run only when asked for. */
const SUITES = {
  index: { parts: ['libs/prefix-index/src/prefix-index.bench.ts'], byName: [] },
  routing: {
    parts: [
      'libs/routing/src/routing.bench.ts',
      'libs/latency-model/src/predict.bench.ts',
      'apps/bench/src/decision-cost.bench.ts',
      'apps/router/src/bench/siblings.bench.ts',
      ...[...ROUTING_PARTS, 'cells', 'dynamo', 'prediction'].map((part) => `apps/bench/src/${part}.bench.ts`),
    ],
    // settings of the comparators, how much our own prices matter, how well one could predict: long
    byName: ['tune', 'prices', 'prediction-floor'].map((part) => `apps/bench/src/${part}.bench.ts`),
  },
  twin: { parts: ['apps/bench/src/twin.bench.ts'], byName: [] },
};

const [suite, ...given] = process.argv.slice(2);
const at = given.indexOf('--suite');
const only = at < 0 ? null : given[at + 1];
const args = (at < 0 ? given : given.toSpliced(at, 2)).filter((arg) => arg !== '--write');
const partOf = (script) => basename(script, '.bench.ts');
const { parts, byName } = SUITES[suite] ?? { parts: [], byName: [] };
const scripts = only === null ? parts : [...parts, ...byName].filter((script) => partOf(script) === only);
if (scripts.length === 0) {
  const names = [...parts, ...byName].map(partOf).join(', ');
  console.error(
    names
      ? `suite ${suite} has the parts ${names}`
      : `usage: bench ${Object.keys(SUITES).join('|')} [--smoke] [--suite PART] [--write]`,
  );
  process.exit(2);
}

const claims = [];
const data = {};
const tables = {};
for (const [number, script] of scripts.entries()) {
  const part = partOf(script);
  if (scripts.length > 1) console.error(`${part} (${number + 1} of ${scripts.length})`);
  const node = ['--conditions=@sluice/source', '--expose-gc', '--no-warnings', join(root, script), ...args];
  const child = spawn(process.execPath, node, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));
  const output = await text(child.stdout);
  const code = await ended;
  if (code !== 0) {
    console.error(`${script} ended with ${code}`);
    process.exit(1);
  }
  const result = JSON.parse(output);
  claims.push(...result.claims.map((claim) => ({ bar: null, met: null, ...claim })));
  data[part] = result.data ?? null;
  Object.assign(tables, result.tables);
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
if (given.includes('--write')) writeTables(tables);
for (const { id, value, unit, met } of claims) {
  console.log(
    `${id.padEnd(40)} ${String(value).padStart(12)} ${unit}${met === null ? '' : met ? '  met' : '  NOT MET'}`,
  );
}

function writeTables(made) {
  const page = join(root, 'docs/benchmarks.md');
  let markdown = readFileSync(page, 'utf8');
  for (const [name, table] of Object.entries(made)) {
    const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [from, to] = [markdown.indexOf(open), markdown.indexOf(close)];
    if (from < 0 || to < from) {
      console.error(`docs/benchmarks.md has no place for the table ${name}`);
      continue;
    }
    markdown = `${markdown.slice(0, from + open.length)}\n${table}\n${markdown.slice(to)}`;
  }
  writeFileSync(page, markdown);
}
