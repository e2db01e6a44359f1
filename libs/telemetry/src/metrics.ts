import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export type { Counter, Gauge, Histogram } from 'prom-client';

export interface MetricOptions<L extends string> {
  /** Without the prefix: `requests_total`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly L[];
  /** Called at every scrape, before the values are read: for values that are kept elsewhere. */
  readonly collect?: () => void;
}
export interface HistogramOptions<L extends string> extends Omit<MetricOptions<L>, 'collect'> {
  /** Upper bounds in the metric's unit, rising. */
  readonly buckets: readonly number[];
}

/**
 * Metrics of one service, in a registry of their own, so that several services fit in one process.
 * Hot paths resolve label children once: `const ok = requests.labels('ok')`, then `ok.inc()`.
 */
export interface Metrics {
  readonly service: string;
  readonly registry: Registry;
  counter<L extends string = never>(options: MetricOptions<L>): Counter<L>;
  gauge<L extends string = never>(options: MetricOptions<L>): Gauge<L>;
  histogram<L extends string = never>(options: HistogramOptions<L>): Histogram<L>;
  /** Prometheus text of all metrics, every sample labelled with `service`. */
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
  const common = <L extends string>(metric: Omit<MetricOptions<L>, 'collect'>) => ({
    name: prefix + metric.name,
    help: metric.help,
    labelNames: metric.labels ?? [],
    registers: [registry],
  });
  const metrics: Metrics = {
    service: options.service,
    registry,
    counter: (metric) => new Counter({ ...common(metric), ...(metric.collect && { collect: metric.collect }) }),
    gauge: (metric) => new Gauge({ ...common(metric), ...(metric.collect && { collect: metric.collect }) }),
    histogram: (metric) => new Histogram({ ...common(metric), buckets: [...metric.buckets] }),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
  if (options.process ?? true) addProcessMetrics(metrics);
  return metrics;
}

/** Own process metrics: prom-client's default set costs timers and a GC observer that nobody reads here. */
function addProcessMetrics(metrics: Metrics): void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const eventLoop = metrics.gauge({
    name: 'event_loop_delay_seconds',
    help: 'Delay of the event loop beyond its 20 ms sampling period since the last scrape',
    labels: ['quantile'],
    collect: () => {
      for (const [quantile, nanos] of [
        ['0.5', delay.percentile(50)],
        ['0.99', delay.percentile(99)],
        ['1', delay.max],
      ] as const) {
        eventLoop.set({ quantile }, delay.count === 0 ? 0 : Math.max(0, nanos / 1e9 - 0.02));
      }
      delay.reset();
    },
  });
  const memory = metrics.gauge({
    name: 'process_memory_bytes',
    help: 'Memory of the process by kind',
    labels: ['kind'],
    collect: () => {
      const usage = process.memoryUsage();
      memory.set({ kind: 'resident' }, usage.rss);
      memory.set({ kind: 'heap' }, usage.heapUsed);
      memory.set({ kind: 'external' }, usage.external);
    },
  });
  const cpu = metrics.counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time used by the process since its start',
    collect: () => {
      const usage = process.cpuUsage();
      cpu.reset();
      cpu.inc((usage.user + usage.system) / 1e6);
    },
  });
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
