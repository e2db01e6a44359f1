import { basename } from 'node:path';
import {
  commandLine,
  counted,
  engineName,
  fleetName,
  kindsOf,
  loadName,
  loadsOf,
  serviceLevel,
  sourceName,
} from './describe.ts';
import type { Origin } from './json-report.ts';
import type { SimulateOptions } from './options.ts';
import type { RunOutcome } from './outcome.ts';
import { reportPage } from './report/page.ts';
import type { Scenario } from './scenario.ts';

/** The HTML report of a command. */
export function htmlReport(
  options: SimulateOptions,
  scenario: Scenario,
  outcomes: readonly RunOutcome[],
  origin: Origin,
): string {
  const { trace } = options;
  const kinds = kindsOf(scenario.engines).map(({ name }) => name);
  return reportPage({
    title: sourceName(trace === undefined ? options : { ...options, trace: basename(trace) }),
    subtitle: fleetName(scenario),
    command: commandLine(origin.argv),
    facts: factsOf(options, scenario, outcomes, origin),
    serviceLevel: serviceLevel(options),
    policies: options.policy,
    loads: loadsOf(options),
    loadAxis: trace === undefined ? 'requests per second' : 'times the speed of the trace',
    loadIsRate: trace === undefined,
    loadName: (load) => loadName(options, load),
    engines: scenario.engines.map((engine) => ({ name: engineName(engine), kind: kinds.indexOf(engineName(engine)) })),
    warmUpMs: scenario.warmUpMs,
    fleetChanges: options.kill,
    outcomes,
  });
}

/** How the runs were made, what is usual included: a report is read long after. */
function factsOf(
  options: SimulateOptions,
  scenario: Scenario,
  outcomes: readonly RunOutcome[],
  { version, node }: Origin,
): [string, string][] {
  const { routers, kill, jitter, latency, eventLag, poll, lostEvents, arrivals, duration, trace } = options;
  const requests = [...new Set(outcomes.map(({ result }) => result.requests))].sort((a, b) => a - b);
  const profiles = new Map(scenario.engines.map((engine) => [engineName(engine), engine]));
  const measured = trace === undefined ? `, then ${duration} s measured` : '';
  return [
    ['Played', sourceName(options)],
    ...(trace === undefined ? ([['Arrivals', arrivalsName(arrivals)]] as [string, string][]) : []),
    ['Warm-up', `${scenario.warmUpMs / 1000} s${measured}`],
    ['Measured requests', rangeName(requests)],
    ...[...profiles].map(([name, { profile, kvTokens, blockSize }]): [string, string] => [
      name,
      `${profile.title}; ${counted(kvTokens ?? profile.kvTokens, 'KV token')}, blocks of ${blockSize ?? profile.blockSize}`,
    ]),
    ['Service level', serviceLevel(options)],
    ['Latency model', latency === 'exact' ? "the router knows the engines' constants" : 'learned from outcomes'],
    ['KV events', `${eventLag} ms late${lostEvents > 0 ? `, ${100 * lostEvents} % of the batches lost` : ''}`],
    ['Metrics', `read every ${poll} ms`],
    ['Routers', routersName(routers)],
    ['Failures', kill.length === 0 ? 'none' : kill.map(changeName).join(', ')],
    ['Step jitter', jitter === 0 ? 'none' : `log-normal, sigma ${jitter}`],
    ['Seeds', `1 to ${options.seeds}`],
    ['Versions', `sluice ${version}, Node ${node}`],
  ];
}

const arrivalsName = (cv: number): string => (cv === 1 ? 'Poisson' : `gamma, coefficient of variation ${cv}`);

const rangeName = (sorted: readonly number[]): string =>
  sorted.length === 1
    ? counted(sorted[0]!, 'request')
    : `${sorted[0]!.toLocaleString('en')} to ${sorted.at(-1)!.toLocaleString('en')}, by seed and load`;

const routersName = ({ count, shared }: SimulateOptions['routers']): string =>
  count === 1
    ? 'one'
    : `${count}, ${shared === 'ledgers' ? 'each knows what the others have in flight' : 'each for itself'}`;

const changeName = ({ engine, kind, atMs }: SimulateOptions['kill'][number]): string =>
  `engine ${engine} ${kind === 'kill' ? 'dies' : 'is back'} at ${atMs / 1000} s`;
