/**
 * How good predictions are in the twin: errors on held-out time, tails by regime, how long a change of all constants is
 * felt, and what a wrong prior costs. Every request is predicted with what was learned from those that had ended.
 * `--seeds N`: the requests of so many seeds together.
 */
import { fileURLToPath } from 'node:url';
import type { EngineProfile } from '@sluice/engine-model';
import { runTwin } from '@sluice/twin';
import type { EngineSetup, TwinOptions } from '@sluice/twin';
import type { Claim } from './part.ts';
import { accuracyByRegime, accuracyOf, replay, secondsUntilBack } from './prediction-replay.ts';
import type { Accuracy, Judged, Sample } from './prediction-replay.ts';
import { MissingTrace, scenarioOf } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { markdown } from './table.ts';

const SEEDS = 3;
const MOST_MAPE = 10;
/** Of ten seconds, some forty requests, in which the mean error is itself uncertain. */
const STEADY_MAPE = 15;
const COVERAGE = [87, 93] as const;
/** A regime with fewer requests says little about one in ten. */
const FEWEST = 100;
const CHANGE_MS = 200_000;
const LOADS = ['unique:7', 'conversation:1:307k', 'conversation:2:307k', 'azure-code:8', 'unequal:7'] as const;
const ONE_VARIANT = 'unequal:7, one variant';

const smoke = process.argv.includes('--smoke');
const seedsAsked = process.argv.indexOf('--seeds');
const seedCount = smoke ? 1 : seedsAsked < 0 ? SEEDS : Number(process.argv[seedsAsked + 1]);
const seeds = Array.from({ length: seedCount }, (_, i) => i + 1);
const traces = process.env['SLUICE_TRACES'] ?? fileURLToPath(new URL('../../../../shared/traces', import.meta.url));
const scenario = (id: string): Scenario => scenarioOf(id, { traces, smoke });
const asOne = (engines: readonly EngineSetup[]): EngineSetup[] => engines.map(({ variant: _, ...rest }) => rest);

/** Outcomes of a run of the default policy, whose router learns as it goes. */
async function outcomesOf(
  { load, options }: Scenario,
  seed: number,
  rest: Partial<TwinOptions> & Pick<TwinOptions, 'engines'>,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const { requests } = await load(seed);
  runTwin({
    ...options,
    requests,
    policy: 'expected-latency',
    seed,
    latency: 'learned',
    onOutcome: (row, outcome, sentMs, endMs) => samples.push({ row, outcome, sentMs, endMs }),
    ...rest,
  });
  return samples;
}

/** What was sent in the second half of the run. */
function heldOut(judged: readonly Judged[]): Judged[] {
  const half = Math.max(...judged.map(({ sentMs }) => sentMs)) / 2;
  return judged.filter(({ sentMs }) => sentMs >= half);
}

/** The same engines, believed at the start to compute and read memory in `factor` times the time. */
const misjudged = (engines: readonly EngineSetup[], factor: number): EngineSetup[] =>
  engines.map((setup) => ({
    ...setup,
    profile: { ...setup.profile, step: scaled(setup.profile.step, factor) },
    slowdown: (setup.slowdown ?? 1) / factor,
  }));

const scaled = (step: EngineProfile['step'], factor: number): EngineProfile['step'] => ({
  ...step,
  twMs: step.twMs * factor,
  aMsPerToken: step.aMsPerToken * factor,
  kAttMs: step.kAttMs * factor,
  kKvMs: step.kKvMs * factor,
});

const claims: Claim[] = [];
const show = (value: number | null): string => (value === null ? '-' : value.toFixed(1));
const rowOf = (title: string, part: string, found: Accuracy): string[] => [
  title,
  part,
  String(found.requests),
  show(found.ttftMape),
  show(found.ttftCoverage),
  show(found.tpotMape),
  show(found.tpotHindsightMape),
  show(found.tpotCoverage),
];
const data: Record<string, unknown> = {};
const errorRows: string[][] = [];
const inBand = (percent: number): boolean => percent >= COVERAGE[0] && percent <= COVERAGE[1];

for (const id of smoke ? LOADS.slice(0, 1) : [...LOADS, ONE_VARIANT]) {
  const own = scenario(id === ONE_VARIANT ? 'unequal:7' : id);
  const engines = id === ONE_VARIANT ? asOne(own.engines) : own.engines;
  const runs = await Promise.all(seeds.map((seed) => outcomesOf(own, seed, { engines }))).catch((error: unknown) => {
    if (error instanceof MissingTrace) return null;
    throw error;
  });
  if (runs === null) {
    process.stderr.write(`left out, no trace for ${id}\n`);
    continue;
  }
  const judged = runs.flatMap((samples) => heldOut(replay(samples, engines)));
  const all = accuracyOf(judged);
  const regimes = accuracyByRegime(judged);
  data[id] = { all, regimes: Object.fromEntries(regimes) };
  errorRows.push(rowOf(id, 'all', all), ...regimes.map(([regime, found]) => rowOf('', regime, found)));
  const claim = (what: string, value: number | null, bar: string, met: boolean): void => {
    if (value !== null) claims.push({ id: `prediction ${id}: ${what}`, value, unit: '%', bar, met });
  };
  claim('MAPE of TTFT', all.ttftMape, `<= ${MOST_MAPE}`, all.ttftMape! <= MOST_MAPE);
  claim('MAPE of TPOT', all.tpotMape, `<= ${MOST_MAPE}`, all.tpotMape! <= MOST_MAPE);
  for (const [regime, { requests, ttftCoverage, tpotCoverage }] of regimes) {
    if (requests < FEWEST) continue;
    claim(`TTFT tail, ${regime}`, ttftCoverage, COVERAGE.join(' to '), inBand(ttftCoverage!));
    claim(`TPOT tail, ${regime}`, tpotCoverage, COVERAGE.join(' to '), inBand(tpotCoverage!));
  }
}

// every engine is replaced by one that is twice as slow, or half, and that calls itself the same
const changeRows: string[][] = [];
for (const factor of smoke ? [] : [2, 0.5]) {
  const own = scenario('unique:4');
  const before = asOne(own.engines);
  const after = before.map((setup) => ({ ...setup, slowdown: factor, joinsMs: CHANGE_MS }));
  const engines = [...before, ...after];
  const failures = before.map((_, engine) => ({ atMs: CHANGE_MS, engine, kind: 'kill' as const }));
  const runs: Judged[][] = [];
  for (const seed of seeds) runs.push(replay(await outcomesOf(own, seed, { engines, failures }), engines));
  const isBefore = ({ sentMs }: Judged): boolean => sentMs < CHANGE_MS && sentMs >= CHANGE_MS / 2;
  const last = accuracyOf(runs.flatMap((judged) => judged.filter(isBefore)));
  const seconds = runs.map((judged) => secondsUntilBack(judged, CHANGE_MS, STEADY_MAPE) ?? Infinity);
  const title = factor > 1 ? 'twice as slow' : 'twice as fast';
  const cells = seconds.map((each) => (each === Infinity ? 'never' : String(each)));
  changeRows.push([title, show(last.ttftMape), show(last.tpotMape), cells.join(', ')]);
  const value = Math.max(...seconds);
  claims.push({ id: `prediction, engines ${title}: back`, value, unit: 's', bar: '<= 60', met: value <= 60 });
  data[title] = { before: last, seconds };
}

const coldRows: string[][] = [];
for (const factor of smoke ? [1] : [1, 3, 1 / 3]) {
  const own = scenario('cold:7');
  const engines = misjudged(own.engines, factor);
  const p99 = (requests: TwinOptions['requests'], policy: TwinOptions['policy'], seed: number): number =>
    runTwin({ ...own.options, requests, engines, policy, seed, latency: 'learned' }).ttftMs.p99! / 1000;
  const ours: number[] = [];
  const theirs: number[] = [];
  for (const seed of seeds) {
    const { requests } = await own.load(seed);
    ours.push(p99(requests, 'expected-latency', seed));
    theirs.push(p99(requests, 'least-request', seed));
  }
  const title = factor === 1 ? 'right' : factor > 1 ? 'three times too slow' : 'three times too fast';
  const seconds = (values: readonly number[]): string => values.map((each) => each.toFixed(3)).join(', ');
  coldRows.push([title, seconds(ours), seconds(theirs)]);
  const value = Math.max(...ours.map((each, i) => each / theirs[i]!));
  claims.push({
    id: `cold start, prior ${title}: p99 TTFT / least-request`,
    value,
    unit: 'x',
    bar: '<= 1',
    met: value <= 1,
  });
  data[`cold, ${title}`] = { ours, theirs };
}

const tables = {
  'prediction-errors': markdown(
    ['load', 'regime', 'requests', 'TTFT MAPE %', 'TTFT covered %', 'TPOT MAPE %', 'in hindsight %', 'TPOT covered %'],
    errorRows,
  ),
  'prediction-change': markdown(
    ['engines become', 'TTFT MAPE % before', 'TPOT MAPE % before', 'back after s'],
    changeRows,
  ),
  'prediction-cold': markdown(['prior', 'expected-latency p99 TTFT s', 'least-request'], coldRows),
};
console.log(JSON.stringify({ suite: 'routing', claims: smoke ? [] : claims, tables, data }));
