import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { dashboardModel, DASHBOARDS } from '../dashboards/index.ts';

const root = join(import.meta.dirname, '../..');
const folder = join(root, 'deploy/grafana/dashboards');
const rulesFile = join(root, 'deploy/prometheus/rules/sluice.yml');

interface Grid {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}
/** The part of Grafana's JSON model that is checked. */
interface Model {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
  readonly panels: readonly {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly gridPos: Grid;
    readonly datasource?: { readonly type: string; readonly uid: string };
    readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly datasource: object }[];
    readonly fieldConfig?: { readonly defaults: { readonly unit: string } };
  }[];
}

const models: readonly (readonly [string, Model])[] = await Promise.all(
  (await readdir(folder)).map(
    async (file) => [file, JSON.parse(await readFile(join(folder, file), 'utf8')) as Model] as const,
  ),
);
const documented = new Set((await readFile(join(root, 'docs/metrics.md'), 'utf8')).match(/sluice_\w+/g));
/** Metrics that a query names and the page does not. */
const unknownMetrics = (expr: string): string[] =>
  (expr.match(/sluice_\w+/g) ?? []).filter(
    (name) => !documented.has(name) && !documented.has(name.replace(/_(bucket|sum|count)$/, '')),
  );
const overlap = (a: Grid, b: Grid): boolean => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

describe('dashboards', () => {
  it('are what `npm run docs:dashboards` writes', () => {
    const written = Object.fromEntries(models);
    const meant = Object.fromEntries(DASHBOARDS.map((each) => [`${each.uid}.json`, dashboardModel(each)]));
    expect(written).toEqual(meant);
  });

  it.each(models)('%s is a dashboard as Grafana reads it', (_file, model) => {
    expect(model.schemaVersion).toBeGreaterThanOrEqual(39);
    const ids = model.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const variables = model.templating.list.map(({ name }) => name);
    expect(model.templating.list[0]).toMatchObject({ name: 'datasource', type: 'datasource' });
    expect(new Set(variables).size).toBe(variables.length);
    for (const { type, title, gridPos, datasource, targets = [], fieldConfig } of model.panels) {
      expect([title, gridPos.x >= 0 && gridPos.x + gridPos.w <= 24 && gridPos.h > 0]).toEqual([title, true]);
      if (type === 'row') continue;
      expect(['timeseries', 'stat']).toContain(type);
      expect(datasource).toEqual({ type: 'prometheus', uid: '${datasource}' });
      expect(fieldConfig!.defaults.unit).not.toBe('');
      expect(targets.length).toBeGreaterThan(0);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
      for (const { expr, datasource: own } of targets) {
        expect(own).toEqual(datasource);
        expect([title, unknownMetrics(expr)]).toEqual([title, []]);
        for (const [, name] of expr.matchAll(/\$(\w+)/g)) expect([...variables, '__rate_interval']).toContain(name);
      }
    }
  });

  it.each(models)('%s has no panels on top of each other', (_file, { panels }) => {
    const clashes = panels.flatMap((a, i) =>
      panels.slice(i + 1).flatMap((b) => (overlap(a.gridPos, b.gridPos) ? [`${a.title} and ${b.title}`] : [])),
    );
    expect(clashes).toEqual([]);
  });

  it('have names of their own', () => {
    expect(new Set(models.map(([, { uid }]) => uid)).size).toBe(models.length);
    expect(new Set(models.map(([, { title }]) => title)).size).toBe(models.length);
  });
});

describe('alert rules', () => {
  it('name metrics that exist', async () => {
    expect(unknownMetrics(await readFile(rulesFile, 'utf8'))).toEqual([]);
  });

  it('have a severity, a summary and an entry in the runbook each, and the runbook has no other', async () => {
    const rules = (await readFile(rulesFile, 'utf8')).split(/^\s*- alert: /m).slice(1);
    const runbook = await readFile(join(root, 'docs/runbook.md'), 'utf8');
    const entries = [...runbook.matchAll(/^### (\w+)$/gm)].map(([, name]) => name!);
    const alerts = rules.map((rule) => rule.slice(0, rule.indexOf('\n')));
    expect(entries).toEqual(alerts);
    for (const [i, rule] of rules.entries()) {
      expect(rule).toMatch(/severity: (critical|warning|info) /);
      expect(rule).toMatch(/summary: \S/);
      const anchor = alerts[i]!.toLowerCase();
      expect(rule).toContain(`runbook_url: '{{ $externalLabels.runbook }}#${anchor}'\n`);
    }
  });

  it('tell in the runbook how bad they are, as the rule does', async () => {
    const rules = await readFile(rulesFile, 'utf8');
    const runbook = await readFile(join(root, 'docs/runbook.md'), 'utf8');
    const severities = [...rules.matchAll(/severity: (\w+) /g)].map(([, severity]) => severity);
    expect([...runbook.matchAll(/^\*\*Means\*\* \((\w+)\)/gm)].map(([, severity]) => severity)).toEqual(severities);
  });
});
