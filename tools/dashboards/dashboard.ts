/** What a panel shows; a query may use the variables of its dashboard and `$__rate_interval`. */
export interface Query {
  readonly expr: string;
  /** Name of a line, with labels in double braces: `{{pool}}`. */
  readonly legend: string;
}

export type Unit = 's' | 'reqps' | 'percentunit' | 'bytes' | 'short' | 'ops' | 'bool';

export interface Panel {
  readonly kind: 'timeseries' | 'stat';
  readonly title: string;
  /** What to read from it; shown behind the panel's information sign. */
  readonly about: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Of the 24 columns of Grafana's grid. */
  readonly width: number;
  /** Lines on top of each other: only where their sum means something. */
  readonly stacked?: boolean;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** A choice at the top of a dashboard. */
export type Variable =
  | { readonly kind: 'label'; readonly name: string; readonly query: string; readonly all: boolean }
  | {
      readonly kind: 'choice';
      readonly name: string;
      readonly label: string;
      /** Shown text and value; the first is chosen. */
      readonly options: readonly (readonly [text: string, value: string])[];
    };

export interface Dashboard {
  /** Also the name of its file. */
  readonly uid: string;
  readonly title: string;
  readonly about: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
}

const COLUMNS = 24;
const HEIGHT = { timeseries: 8, stat: 4 } as const;
/** Grafana 11; later ones read it too. */
const SCHEMA_VERSION = 39;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' } as const;

export const timeseries = (
  title: string,
  unit: Unit,
  about: string,
  queries: readonly Query[],
  options: { readonly width?: number; readonly stacked?: boolean } = {},
): Panel => ({ kind: 'timeseries', title, unit, about, queries, width: 8, ...options });

/** One number. */
export const stat = (title: string, unit: Unit, about: string, expr: string, legend = ''): Panel => ({
  kind: 'stat',
  title,
  unit,
  about,
  queries: [{ expr, legend }],
  width: 4,
});

/** Lines for some quantiles of a histogram. @param by labels that make a line, @param where label matchers */
export const quantiles = (
  metric: string,
  by: readonly string[] = [],
  where = '',
  of: readonly number[] = [0.5, 0.9, 0.99],
): Query[] =>
  of.map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (${['le', ...by].join(', ')}) (rate(${metric}_bucket{${where}}[$__rate_interval])))`,
    legend: [...by.map((label) => `{{${label}}}`), `p${quantile * 100}`].join(' '),
  }));

/** Rate of a counter, summed. */
export const rate = (metric: string, by: readonly string[] = [], where = ''): Query => ({
  expr: `sum by (${by.join(', ')}) (rate(${metric}{${where}}[$__rate_interval]))`,
  legend: by.map((label) => `{{${label}}}`).join(' '),
});

/** Grafana's JSON model of a dashboard: panels flow from left to right, a row at a time. */
export function dashboardModel(dashboard: Dashboard): object {
  const panels: object[] = [];
  let y = 0;
  for (const row of dashboard.rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      panels: [],
    });
    y++;
    let x = 0;
    let lineHeight = 0;
    for (const panel of row.panels) {
      if (x + panel.width > COLUMNS) {
        x = 0;
        y += lineHeight;
        lineHeight = 0;
      }
      const h = HEIGHT[panel.kind];
      panels.push(panelModel(panel, panels.length + 1, { x, y, w: panel.width, h }));
      x += panel.width;
      lineHeight = Math.max(lineHeight, h);
    }
    y += lineHeight;
  }
  return {
    uid: dashboard.uid,
    title: dashboard.title,
    description: dashboard.about,
    tags: ['sluice'],
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    links: [
      { type: 'dashboards', tags: ['sluice'], title: 'Sluice', asDropdown: true, includeVars: true, keepTime: true },
    ],
    annotations: { list: [] },
    templating: { list: [datasourceVariable, ...dashboard.variables.map(variableModel)] },
    panels,
  };
}

function panelModel(panel: Panel, id: number, gridPos: { x: number; y: number; w: number; h: number }): object {
  const targets = panel.queries.map(({ expr, legend }, i) => ({
    refId: String.fromCharCode('A'.charCodeAt(0) + i),
    datasource: DATASOURCE,
    expr,
    legendFormat: legend,
    range: true,
  }));
  const custom = {
    drawStyle: 'line',
    lineWidth: 1,
    fillOpacity: panel.stacked === true ? 20 : 0,
    showPoints: 'never',
    spanNulls: false,
    stacking: { mode: panel.stacked === true ? 'normal' : 'none', group: 'A' },
  };
  return {
    id,
    type: panel.kind,
    title: panel.title,
    description: panel.about,
    datasource: DATASOURCE,
    gridPos,
    targets,
    fieldConfig: {
      defaults: {
        unit: panel.unit,
        ...(panel.unit === 'short' ? {} : { min: 0 }),
        ...(panel.kind === 'timeseries' && { custom }),
      },
      overrides: [],
    },
    options:
      panel.kind === 'stat'
        ? {
            reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
            graphMode: 'area',
            colorMode: 'value',
            textMode: 'auto',
          }
        : {
            legend: { showLegend: true, displayMode: 'list', placement: 'bottom' },
            tooltip: { mode: 'multi', sort: 'desc' },
          },
  };
}

const datasourceVariable = {
  name: 'datasource',
  label: 'Data source',
  type: 'datasource',
  query: 'prometheus',
  current: {},
  hide: 0,
  multi: false,
  includeAll: false,
  refresh: 1,
};

function variableModel(variable: Variable): object {
  if (variable.kind === 'choice') {
    const options = variable.options.map(([text, value], i) => ({ text, value, selected: i === 0 }));
    return {
      name: variable.name,
      label: variable.label,
      type: 'custom',
      query: variable.options.map(([text, value]) => `${text} : ${value}`).join(','),
      options,
      current: options[0],
      multi: false,
      includeAll: false,
    };
  }
  return {
    name: variable.name,
    type: 'query',
    datasource: DATASOURCE,
    definition: variable.query,
    query: { query: variable.query, refId: variable.name },
    refresh: 2,
    sort: 7,
    multi: variable.all,
    includeAll: variable.all,
    ...(variable.all && { allValue: '.*', current: { text: ['All'], value: ['$__all'] } }),
  };
}
