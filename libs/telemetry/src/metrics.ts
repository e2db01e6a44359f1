import { setImmediate } from 'node:timers/promises';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { addProcessMetrics } from './process-metrics.ts';

export type { Counter, Gauge, Histogram } from 'prom-client';

export interface MetricOptions<L extends string> {
  /** Without the prefix: `requests_total`. Base units: `_seconds`, `_bytes`, `_ratio`; totals of counters end in `_total`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly L[];
  /** Called at every scrape, before the values are read: for what is neither {@link read} nor {@link readEach}. */
  readonly collect?: () => void;
  /** The value, for metrics without labels whose value is kept elsewhere; called at every scrape. */
  readonly read?: () => number;
  /** Calls `set` for every series there is now; called at every scrape. A series that is not set any more is gone. */
  readonly readEach?: (set: (labels: Readonly<Record<L, string>>, value: number) => void) => void;
}
export interface HistogramOptions<L extends string> extends Pick<MetricOptions<L>, 'name' | 'help' | 'labels'> {
  /** Upper bounds in the metric's unit, rising. */
  readonly buckets: readonly number[];
}

/** What a metric is, for the page that lists them all. */
export interface MetricDefinition {
  /** With the prefix. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Without `service`, which every sample has. */
  readonly labels: readonly string[];
}

/**
 * Metrics of one service, in a registry of their own, so that several services fit in one process.
 * Hot paths resolve label children once: `const ok = requests.labels('ok')`, then `ok.inc()`.
 */
export interface Metrics {
  readonly service: string;
  readonly registry: Registry;
  /** Every metric registered so far. */
  readonly definitions: readonly MetricDefinition[];
  counter<L extends string = never>(options: MetricOptions<L>): Counter<L>;
  gauge<L extends string = never>(options: MetricOptions<L>): Gauge<L>;
  histogram<L extends string = never>(options: HistogramOptions<L>): Histogram<L>;
  /**
   * Prometheus text of all metrics, every sample labelled with `service`. Other work may run between two metrics: a large
   * fleet has some ten thousand samples, and no stream may wait for all of them.
   */
  text(): Promise<string>;
  readonly contentType: string;
}

export interface MetricsOptions {
  readonly service: string;
  /** Default `sluice_`. */
  readonly prefix?: string;
  /** Memory, CPU and event loop delay of the process, read at scrape time. Default true; false for all but one service of a process. */
  readonly process?: boolean;
}

/** An empty registry for `service`; a name used twice throws (a bug). */
export function createMetrics(options: MetricsOptions): Metrics {
  const prefix = options.prefix ?? 'sluice_';
  const registry = new Registry();
  registry.setDefaultLabels({ service: options.service });
  const definitions: MetricDefinition[] = [];
  const define = <L extends string>(type: MetricDefinition['type'], metric: HistogramOptions<L> | MetricOptions<L>) => {
    const definition = { name: prefix + metric.name, type, help: metric.help, labels: metric.labels ?? [] };
    definitions.push(definition);
    return { name: definition.name, help: metric.help, labelNames: definition.labels as L[], registers: [registry] };
  };
  const metrics: Metrics = {
    service: options.service,
    registry,
    definitions,
    counter<L extends string>(metric: MetricOptions<L>) {
      const { read, readEach } = metric;
      // The owner keeps the total: the counter is made anew from it at each scrape.
      const collect = () => {
        metric.collect?.();
        if (read === undefined) return;
        counter.reset();
        counter.inc(read());
      };
      const counter: Counter<L> = new Counter({ ...define('counter', metric), collect });
      if (readEach !== undefined) readSeries(counter, readEach);
      return counter;
    },
    gauge<L extends string>(metric: MetricOptions<L>) {
      const { read, readEach } = metric;
      const collect = () => {
        metric.collect?.();
        if (read !== undefined) gauge.set(read());
      };
      const gauge: Gauge<L> = new Gauge({ ...define('gauge', metric), collect });
      if (readEach !== undefined) readSeries(gauge, readEach);
      return gauge;
    },
    histogram: (metric) => new Histogram({ ...define('histogram', metric), buckets: [...metric.buckets] }),
    text: () => textOf(registry),
    contentType: registry.contentType,
  };
  if (options.process ?? true) addProcessMetrics(metrics);
  return metrics;
}

/**
 * Has the metric answer a scrape with the owner's series as they are: to set and hash each of some thousand takes longer than
 * to write it.
 */
function readSeries<L extends string>(
  metric: Counter<L> | Gauge<L>,
  readEach: NonNullable<MetricOptions<L>['readEach']>,
): void {
  const get = metric.get.bind(metric);
  metric.get = async () => {
    const whole = await get();
    whole.values = [];
    readEach((labels, value) => whole.values.push({ labels, value }));
    return whole;
  };
}

async function textOf(registry: Registry): Promise<string> {
  const families: string[] = [];
  for (const { name } of registry.getMetricsAsArray()) {
    families.push(await registry.getSingleMetricAsString(name));
    await setImmediate();
  }
  return families.join('\n\n') + '\n';
}

/** Prometheus text of several registries with one HELP and TYPE per metric name, as the format demands. */
export async function mergeMetrics(all: readonly Metrics[]): Promise<string> {
  const families = new Map<string, string[]>();
  for (const text of await Promise.all(all.map((metrics) => metrics.text()))) {
    for (const block of text.split(/\n(?=# HELP )/)) {
      const lines = block.split('\n').filter((line) => line !== '');
      const [help, type, ...samples] = lines;
      if (help === undefined || type === undefined) continue;
      const name = help.split(' ', 3)[2]!;
      const family = families.get(name);
      if (family) family.push(...samples);
      else families.set(name, [help, type, ...samples]);
    }
  }
  return [...families.values()].map((lines) => lines.join('\n') + '\n').join('\n');
}
