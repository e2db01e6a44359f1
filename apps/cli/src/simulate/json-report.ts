import { commandLine, kindsOf, loadsOf, sourceName } from './describe.ts';
import type { SimulateOptions } from './options.ts';
import type { RunOutcome } from './outcome.ts';
import type { Scenario } from './scenario.ts';

/** Who made a report, and how. */
export interface Origin {
  readonly version: string;
  readonly node: string;
  /** What was typed after `sluice`. */
  readonly argv: readonly string[];
}

/** Every run as scripts rely on it: names are added, none is changed or taken away. */
export function jsonReport(
  options: SimulateOptions,
  scenario: Scenario,
  outcomes: readonly RunOutcome[],
  origin: Origin,
): string {
  const ordered = loadsOf(options).flatMap((load) =>
    options.policy.flatMap((policy) => outcomes.filter((each) => each.load === load && each.policy === policy)),
  );
  const report = {
    trace: options.trace ?? sourceName(options),
    engines: scenario.engines.length,
    profile: [...new Set(scenario.engines.map(({ profile }) => profile.id))].join(','),
    runs: ordered.map(({ load, policy, seed, result }) => ({
      policy,
      seed,
      requests: result.requests,
      failed: result.failed,
      ttftMs: result.ttftMs,
      tpotMs: result.tpotMs,
      e2eMs: result.e2eMs,
      outputTokensPerS: result.outputTokensPerS,
      cachedTokenShare: result.cachedTokenShare,
      imbalance: result.imbalance,
      goodput: result.goodput,
      capturedReuse: result.capturedReuse,
      preemptions: result.preemptions,
      load,
    })),
    loadUnit: options.trace === undefined ? 'requests per second' : 'times the speed of the trace',
    fleet: kindsOf(scenario.engines),
    sluice: origin.version,
    node: origin.node,
    command: commandLine(origin.argv),
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}
