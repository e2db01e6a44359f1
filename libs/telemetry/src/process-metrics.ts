import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

const SAMPLING_MS = 20;

/** Own process metrics: prom-client's default set costs timers and a GC observer that nobody reads here. */
export function addProcessMetrics(metrics: Metrics): void {
  const delay = monitorEventLoopDelay({ resolution: SAMPLING_MS });
  delay.enable();
  const delaySeconds = (nanos: number): number =>
    delay.count === 0 ? 0 : Math.max(0, nanos / 1e9 - SAMPLING_MS / 1000);
  metrics.gauge({
    name: 'event_loop_delay_seconds',
    help: `Delay of the event loop beyond its ${SAMPLING_MS} ms sampling period since the last scrape, whoever made it`,
    labels: ['quantile'],
    readEach: (set) => {
      set({ quantile: '0.5' }, delaySeconds(delay.percentile(50)));
      set({ quantile: '0.99' }, delaySeconds(delay.percentile(99)));
      set({ quantile: '1' }, delaySeconds(delay.max));
      delay.reset();
    },
  });
  metrics.gauge({
    name: 'process_memory_bytes',
    help: 'Memory of the process by kind: resident, heap (used), external',
    labels: ['kind'],
    readEach: (set) => {
      const usage = process.memoryUsage();
      set({ kind: 'resident' }, usage.rss);
      set({ kind: 'heap' }, usage.heapUsed);
      set({ kind: 'external' }, usage.external);
    },
  });
  metrics.counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time used by the process since its start',
    read: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  });
  metrics.gauge({
    name: 'process_start_time_seconds',
    help: 'When the process started, seconds since the Unix epoch',
    read: () => performance.timeOrigin / 1000,
  });
}
