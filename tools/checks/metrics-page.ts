import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryBus } from '@sluice/bus';
import { createEventBridgeService, parseEventBridgeConfig } from '@sluice/event-bridge';
import { createKvIndexService, parseKvIndexConfig } from '@sluice/kv-index';
import { createLatencyPredictorService, parseLatencyPredictorConfig } from '@sluice/latency-predictor';
import { configOrThrow, runService } from '@sluice/nest-kit';
import type { Environment, ParsedConfig, Service, ServiceContext } from '@sluice/nest-kit';
import { createRouterService, parseRouterConfig } from '@sluice/router';
import { createMemoryStore } from '@sluice/store';
import { createLogger, createMetrics } from '@sluice/telemetry';
import type { MetricDefinition } from '@sluice/telemetry';

/** What a label says, and what keeps its values few. A label that is not here may not be used. */
const LABELS: Readonly<Record<string, readonly [meaning: string, bound: string]>> = {
  service: ['the service that measured', 'the services there are'],
  model: ['first name of the pool that served', 'pools of the fleet, and `unknown` for all that is not served'],
  pool: ['pool', 'pools of the fleet'],
  worker: ['worker', 'workers of the fleet; series of those that left are gone'],
  variant: ['variant', 'variants of the fleet; the predictor keeps at most 1024'],
  tenant: ['tenant', '`ROUTER_TENANTS` (1000) at a time; further ones are `other`. The one label that clients name'],
  band: ['priority band', '`ROUTER_PRIORITY_BANDS` (3)'],
  code: ['HTTP status sent to the client', 'the statuses of HTTP'],
  route: ['path of the data plane', '3'],
  result: ['how it ended', '7 for requests, 4 for attempts, 3 for outcomes, 2 for settings'],
  cause: ['what went wrong', 'at most 6, listed in the source'],
  reason: ['why', 'at most 6, listed in the source'],
  policy: ['routing policy', 'the policies there are'],
  choice: ['`agree`, `differ`', '2'],
  of: ['`ttft`, `e2e`', '2'],
  slo: ['`ttft`, `tpot`', '2'],
  target: ['`ttft`, `tpot`', '2'],
  outcome: ['`met`, `missed`', '2'],
  direction: ['`later` or `sooner` than predicted; values are magnitudes', '2'],
  agreement: ['`equal`, `within-a-block`, `off`', '3'],
  layout: ['`exact`, `plain`', '2'],
  state: ['`up`, `down`; of event streams `live`, `incomplete`, `disconnected`, `waiting`, `unread`', '5'],
  confidence: ['`live`, `incomplete`, `none`; of kv-index also `disconnected`', '4'],
  tier: ['where blocks are: `hbm`, `cpu`, `disk`, `remote`', '4'],
  what: ['what became of it', 'at most 4'],
  source: ['of settings: `file`, `override`', '2'],
  kind: ['kind of event, or of memory', '3'],
  quantile: ['`0.5`, `0.99`, `1` (the longest)', '3'],
};

const UNITS: readonly (readonly [suffix: RegExp, unit: string])[] = [
  [/_timestamp_seconds$|_start_time_seconds$/, 'Unix time, s'],
  [/_seconds(_total)?$/, 's'],
  [/_bytes$/, 'bytes'],
  [/_tokens(_total)?$/, 'tokens'],
  [/_ratio$/, 'ratio'],
  [/_(connected|up|exact|info)$/, '0 or 1'],
];

export interface ServiceMetrics {
  readonly service: string;
  readonly definitions: readonly MetricDefinition[];
}

/** Boots every service in this process, on an in-memory bus and store, and tells what it registers. */
export async function registeredMetrics(): Promise<ServiceMetrics[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-metrics-'));
  const fleet = join(folder, 'fleet.json');
  const env: Environment = { SLUICE_FLEET: fleet, ROUTER_PORT: '0' };
  const all: ServiceMetrics[] = [];
  const boot = async <C>(
    service: string,
    parse: (env: Environment) => ParsedConfig<C>,
    create: (config: C, context: ServiceContext) => Service,
  ): Promise<void> => {
    const context = {
      service,
      bus: createMemoryBus(),
      store: createMemoryStore(),
      logger: createLogger({ service, level: 'fatal' }),
      metrics: createMetrics({ service }),
    };
    const hosted = create(configOrThrow(parse(env)), context);
    const running = await runService({ host: '127.0.0.1', port: 0, title: service, context, service: hosted });
    all.push({ service, definitions: [...context.metrics.definitions] });
    await running.close();
  };
  try {
    // Nothing listens there: what is registered does not depend on it.
    const engines = [{ id: 'engine', url: 'http://127.0.0.1:9' }];
    await writeFile(fleet, JSON.stringify({ version: 1, pools: [{ id: 'pool', models: ['model'], engines }] }));
    await boot('router', parseRouterConfig, createRouterService);
    await boot('kv-index', parseKvIndexConfig, createKvIndexService);
    await boot('event-bridge', parseEventBridgeConfig, createEventBridgeService);
    await boot('latency-predictor', parseLatencyPredictorConfig, createLatencyPredictorService);
    return all;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * The page that lists every metric.
 * @throws Error for a label without a stated bound, a name without a help text, or one name that means two things
 */
export function metricsPage(all: readonly ServiceMetrics[]): string {
  const [first, ...others] = all;
  if (first === undefined) throw new RangeError('no services');
  const shared = first.definitions.filter(({ name }) => others.every((other) => has(other, name)));
  const sections = [
    ...all.map(({ service, definitions }) =>
      section(
        service,
        OF_SERVICE[service] ?? '',
        definitions.filter(({ name }) => !has({ definitions: shared }, name)),
      ),
    ),
    section('Every service', 'The process, the bus (NATS) and the store (Redis).', shared),
  ];
  const used = new Set(all.flatMap(({ definitions }) => definitions.flatMap(({ labels }) => labels)));
  const labels = Object.entries(LABELS).filter(([name]) => name === 'service' || used.has(name));
  const rows = labels.map(([name, [meaning, bound]]) => `| \`${name}\` | ${meaning} | ${bound} |`);
  return [INTRODUCTION, ...sections, '## Labels\n', '| label | means | bounded by |\n|---|---|---|', ...rows, ''].join(
    '\n',
  );
}

const has = ({ definitions }: Pick<ServiceMetrics, 'definitions'>, name: string): boolean =>
  definitions.some((definition) => definition.name === name);

const OF_SERVICE: Readonly<Record<string, string>> = {
  router: '`:8082/metrics`',
  'kv-index': '`:8083/metrics`',
  'event-bridge': '`:8084/metrics`',
  'latency-predictor': '`:8085/metrics`',
};

const INTRODUCTION = `# Metrics

Every metric of every service: written by \`npm run docs:metrics\` from what the services register, and held against what the running
processes expose by \`tools/checks/metrics-page.spec.ts\` and \`npm run e2e -- observability\`. In standalone all are on \`:8081/metrics\`.
What to watch: the dashboards in \`deploy/grafana\`, the alerts in \`deploy/prometheus/rules\`, and the [runbook](runbook.md).

Names follow Prometheus: base units, \`_total\` for counters. A histogram has \`_bucket\` (label \`le\`), \`_sum\` and \`_count\`. Every sample carries
the label \`service\`; Prometheus adds \`job\` and \`instance\`. Series of known labels are there from the start, at 0. Nothing that a client may
invent is a label, but for tenants, which are bounded. A router has about 20 series per worker and a fixed number per pool.
`;

function section(title: string, about: string, definitions: readonly MetricDefinition[]): string {
  const rows = [...definitions].sort((a, b) => (a.name < b.name ? -1 : 1)).map(row);
  return [`## ${title}`, '', about, '', '| name | type | labels | unit | |\n|---|---|---|---|---|', ...rows, ''].join(
    '\n',
  );
}

function row({ name, type, labels, help }: MetricDefinition): string {
  for (const label of labels) {
    if (LABELS[label] === undefined) throw new Error(`${name}: say in LABELS what bounds the label ${label}`);
  }
  if (help.trim() === '') throw new Error(`${name} has no help text`);
  const unit = UNITS.find(([suffix]) => suffix.test(name))?.[1] ?? 'count';
  return `| \`${name}\` | ${type} | ${labels.join(', ')} | ${unit} | ${help.replaceAll('|', '\\|')} |`;
}
