/** A tenant beside one that floods, and urgent requests beside others, at twice the capacity. See docs/flow-control.md. */
import type { Arm } from './arms.ts';
import { FAIRNESS_CASES, FLOOD, OWN } from './fairness.ts';
import type { FairnessRun } from './fairness.ts';
import { cell, meanOf, pairedRatio, runsOf } from './intervals.ts';
import type { Metric } from './intervals.ts';
import { runPart } from './part.ts';
import type { Claim } from './part.ts';
import type { TenantOutcome } from './run-scenario.ts';
import { markdown } from './table.ts';

/** As a router comes, its bounded queue included. */
const WITH: Arm = { label: 'with', policy: 'expected-latency', flowControl: {} };
const WITHOUT: Arm = { label: 'without', policy: 'expected-latency' };
const CASES = Object.entries(FAIRNESS_CASES);
const idOf = (name: string, run: FairnessRun): string => `fairness:${name}:${run}`;

const of =
  (tenant: string, metric: (outcome: TenantOutcome) => number | null): Metric =>
  ({ tenants }) =>
    metric(tenants!.find((outcome) => outcome.tenant === tenant)!);
const ownP99S = of(OWN, ({ ttftMs }) => (ttftMs.p99 === null ? null : ttftMs.p99 / 1000));
const floodTokens = of(FLOOD, ({ outputTokensPerS }) => outputTokensPerS);
const ownShed = of(OWN, ({ failed }) => failed);
const floodShed = of(FLOOD, ({ failed }) => failed);

await runPart(process, async ({ run, smoke, seeds }) => {
  const cases = smoke ? CASES.slice(0, 1) : CASES;
  const ids = (which: FairnessRun): string[] => cases.map(([name]) => idOf(name, which));
  const alone = await run([...ids('alone'), ...ids('flood')], [WITH]);
  const beside = await run(ids('both'), [WITH]);
  // what the flood does to the others when nothing is held back: one seed shows it
  const unguarded = await run(ids('both'), [WITHOUT], seeds.slice(0, 1));
  const claims: Claim[] = [];
  const rows = cases.map(([name, { title, bar }]) => {
    const solo = runsOf(alone, idOf(name, 'alone'), WITH.label);
    const flooded = runsOf(beside, idOf(name, 'both'), WITH.label);
    const ratio = pairedRatio(flooded, solo, ownP99S);
    const value = ratio === null ? Infinity : Number(ratio.mean.toFixed(2));
    claims.push({ id: `fairness-${name}-p99-ttft`, value, unit: 'x alone', bar: `<= ${bar}`, met: value <= bar });
    const shed = meanOf(flooded, ownShed) ?? 0;
    claims.push({ id: `fairness-${name}-shed`, value: shed, unit: 'requests', bar: '<= 0', met: shed === 0 });
    return [
      title,
      cell(solo, ownP99S),
      cell(runsOf(unguarded, idOf(name, 'both'), WITHOUT.label), ownP99S),
      cell(flooded, ownP99S),
      ratio === null ? 'inf' : `${value} (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)})`,
      cell(runsOf(alone, idOf(name, 'flood'), WITH.label), floodTokens),
      cell(flooded, floodTokens),
      cell(flooded, floodShed),
    ];
  });
  const head = [
    'load',
    'alone',
    'without',
    'with',
    'with / alone',
    'flood alone, tokens/s',
    'flood beside, tokens/s',
    'flood shed',
  ];
  return { claims, tables: {}, data: { table: markdown(head, rows) } };
});
