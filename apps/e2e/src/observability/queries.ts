import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repoRoot } from '@sluice/testkit';
import { RULES } from './prometheus.ts';

export interface Query {
  /** Where it stands. */
  readonly of: string;
  readonly expr: string;
}

interface DashboardFile {
  readonly title: string;
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
}

/** Every query of every panel, its variables filled in as Grafana would. */
export async function panelQueries(variables: Readonly<Record<string, string>>): Promise<Query[]> {
  const folder = join(repoRoot, 'deploy/grafana/dashboards');
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json'));
  const queries: Query[] = [];
  for (const file of files) {
    const dashboard = JSON.parse(await readFile(join(folder, file), 'utf8')) as DashboardFile;
    for (const { title, targets = [] } of dashboard.panels) {
      for (const { expr } of targets) {
        const filled = expr.replace(/\$(\w+)/g, (_, name: string) => {
          const value = variables[name];
          if (value === undefined) throw new Error(`${dashboard.title}, ${title}: no variable $${name}`);
          return value;
        });
        queries.push({ of: `${dashboard.title}, ${title}`, expr: filled });
      }
    }
  }
  return queries;
}

export interface Rule {
  readonly alert: string;
  readonly expr: string;
}

/** The alerts of a rules file: as far as it is written here, a name and its expression in one line or indented below. */
export function alertsOf(rules: string): Rule[] {
  return rules
    .split(/^\s*- alert: /m)
    .slice(1)
    .map((text) => {
      const [, block, line] = /^\s*expr: (?:\|\n((?:\s{10,}.*\n)+)|(.*)\n)/m.exec(text)!;
      return { alert: text.slice(0, text.indexOf('\n')), expr: (block ?? line)!.trim() };
    });
}

/**
 * What the alerts measure, without the thresholds that keep their answers empty in good times: each side of an `and` or
 * `or` by itself.
 */
export async function ruleQueries(): Promise<Query[]> {
  return alertsOf(await readFile(RULES, 'utf8')).flatMap(({ alert, expr }) =>
    expr.split(/\n?\s*\b(?:and|or)\b\s+/).map((side) => ({ of: alert, expr: side.replace(/ (>|<|==) [\d.]+$/, '') })),
  );
}
