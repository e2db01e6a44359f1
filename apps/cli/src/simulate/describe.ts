import type { EngineSetup } from '@sluice/twin';
import type { SimulateOptions } from './options.ts';
import type { Scenario } from './scenario.ts';

export const counted = (count: number, what: string): string =>
  `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;

/** What is swept: the rate of a workload, or the speed of a trace. */
export const loadsOf = ({ trace, speed, qps }: SimulateOptions): readonly number[] =>
  trace === undefined ? qps : speed;

/** `7 QPS`, `its own speed`, `2 times its speed`. */
export function loadName({ trace }: SimulateOptions, load: number): string {
  if (trace === undefined) return `${load} QPS`;
  return load === 1 ? 'its own speed' : `${load} times its speed`;
}

/** The trace's path or the workload, and the loads; a trace at its own speed needs no word about it. */
export function sourceName(options: SimulateOptions): string {
  const loads = loadsOf(options);
  if (options.trace === undefined) return `${options.workload} at ${loads.join(', ')} QPS`;
  return loads.length === 1 && loads[0] === 1
    ? options.trace
    : `${options.trace} at ${loads.join(', ')} times its speed`;
}

/** `8 engines simulated as qwen3-32b-tp2-h100`, or the kinds of a mixed fleet. */
export function fleetName({ engines }: Scenario): string {
  const kinds = kindsOf(engines);
  if (kinds.length === 1) return `${counted(engines.length, 'engine')} simulated as ${kinds[0]!.name}`;
  return `${engines.length} engines simulated as ${kinds.map(({ count, name }) => `${count} x ${name}`).join(' and ')}`;
}

export interface EngineKind {
  readonly name: string;
  readonly count: number;
}

/** Engines that are alike, in the order in which they stand. */
export function kindsOf(engines: readonly EngineSetup[]): EngineKind[] {
  const counts = new Map<string, number>();
  for (const engine of engines) counts.set(engineName(engine), (counts.get(engineName(engine)) ?? 0) + 1);
  return [...counts].map(([name, count]) => ({ name, count }));
}

/** Profile and relative speed of an engine. */
export const engineName = ({ profile, slowdown = 1 }: EngineSetup): string =>
  slowdown === 1 ? profile.id : `${profile.id} at ${Number((1 / slowdown).toPrecision(3))} times its speed`;

export const serviceLevel = ({ sloTtft, sloTpot }: SimulateOptions): string =>
  `TTFT ${sloTtft} ms and TPOT ${sloTpot} ms`;

/** The command line as a shell takes it. */
export const commandLine = (argv: readonly string[]): string => ['npx sluice', ...argv.map(quoted)].join(' ');

const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
