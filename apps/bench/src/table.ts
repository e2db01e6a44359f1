import type { Arm } from './arms.ts';
import { cell, runsOf } from './intervals.ts';
import type { Metric } from './intervals.ts';
import type { RunOutcome } from './run-scenario.ts';

/** A Markdown table. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

/** Policies as rows, scenarios as columns, the metrics of a cell separated by slashes. */
export function policyTable(
  runs: readonly RunOutcome[],
  arms: readonly Arm[],
  scenarios: readonly (readonly [id: string, title: string])[],
  metrics: readonly Metric[],
): string {
  const shown = scenarios.filter(([id]) => runs.some(({ scenario }) => scenario === id));
  const rows = arms
    .filter(({ label }) => runs.some(({ arm }) => arm === label))
    .map(({ label }) => [
      label,
      ...shown.map(([id]) => {
        const own = runsOf(runs, id, label);
        return own.length === 0 ? '-' : metrics.map((metric) => cell(own, metric)).join(' / ');
      }),
    ]);
  return markdown(['policy', ...shown.map(([, title]) => title)], rows);
}
