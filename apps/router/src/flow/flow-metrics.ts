import type { BandView, ShedReason, Ticket } from '@sluice/flow-control';
import type { Counter, Histogram, Metrics } from '@sluice/telemetry';
import { observeServiceLevel } from '../decision/attempt-metrics.ts';
import type { Pool } from '../fleet/pool.ts';
import type { Turn } from './turn.ts';

const REASONS = [
  'queue-full',
  'queue-bytes',
  'displaced',
  'ttft-slo',
  'deadline',
  'expired',
] as const satisfies readonly ShedReason[];
const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160];

/** Counts turns; docs/flow-control.md explains every metric. `pools` are read when somebody scrapes. */
export class FlowMetrics {
  readonly #wait: Histogram<'pool' | 'band'>;
  readonly #shed: Counter<'pool' | 'band' | 'reason'>;
  /** Children by pool and priority of the band: looking one up by its labels is dear. */
  readonly #waits = new Map<string, Map<number, Histogram.Internal<'pool' | 'band'>>>();

  constructor(metrics: Metrics, pools: () => Iterable<Pool>) {
    this.#wait = metrics.histogram({
      name: 'router_queue_wait_seconds',
      help: 'Time that requests were held before they were sent; 0 for those that went at once',
      labels: ['pool', 'band'],
      buckets: SECONDS,
    });
    this.#shed = metrics.counter({
      name: 'router_shed_total',
      help: 'Requests turned away by reason',
      labels: ['pool', 'band', 'reason'],
      // The first one of a kind must show as a rise: every series is there from the first scrape on.
      collect: () => {
        for (const { id, flow } of pools()) {
          for (const { priority } of flow.queues()) {
            for (const reason of REASONS) this.#shed.inc({ pool: id, band: String(priority), reason }, 0);
          }
        }
      },
    });
    registerQueueGauges(metrics, pools);
  }

  waited(pool: Pool, { flow: { band } }: Ticket<Turn>, ms: number): void {
    let children = this.#waits.get(pool.id);
    if (children === undefined) this.#waits.set(pool.id, (children = new Map()));
    let child = children.get(band.priority);
    if (child === undefined) {
      child = this.#wait.labels({ pool: pool.id, band: String(band.priority) });
      children.set(band.priority, child);
    }
    child.observe(ms / 1000);
  }

  shed(pool: Pool, { flow: { band }, ref }: Ticket<Turn>, reason: ShedReason): void {
    observeServiceLevel(pool.metrics, ref.level, Infinity, Infinity);
    this.#shed.inc({ pool: pool.id, band: String(band.priority), reason });
  }
}

function registerQueueGauges(metrics: Metrics, pools: () => Iterable<Pool>): void {
  const ofBands = (name: string, help: string, of: 'requests' | 'bytes'): void => {
    metrics.gauge({
      name,
      help,
      labels: ['pool', 'band'],
      readEach: (set) => {
        for (const { id, flow } of pools()) {
          for (const band of flow.queues()) set({ pool: id, band: String(band.priority) }, band[of]);
        }
      },
    });
  };
  ofBands('router_queue_requests', 'Requests held by band', 'requests');
  ofBands('router_queue_bytes', 'Body bytes of the requests held by band', 'bytes');
  metrics.gauge({
    name: 'router_worker_held_requests',
    help: 'Requests that wait for the worker',
    labels: ['pool', 'worker'],
    readEach: (set) => {
      for (const pool of pools()) {
        for (const worker of pool.workers.values()) set({ pool: pool.id, worker: worker.spec.id }, worker.line.held);
      }
    },
  });
  metrics.gauge({
    name: 'router_tenant_held_requests',
    help: 'Requests held by tenant',
    labels: ['pool', 'tenant'],
    readEach: (set) => eachTenant(pools(), set, ({ held }) => held),
  });
  metrics.counter({
    name: 'router_tenant_served_tokens_total',
    help: 'Service of ended requests by tenant: uncached prompt tokens, and output tokens twice',
    labels: ['pool', 'tenant'],
    readEach: (set) => eachTenant(pools(), set, ({ servedTokens }) => servedTokens),
  });
}

/** A tenant may be in several bands: its series is their sum. */
function eachTenant(
  pools: Iterable<Pool>,
  set: (labels: { pool: string; tenant: string }, value: number) => void,
  of: (tenant: BandView['tenants'][number]) => number,
): void {
  for (const { id, flow } of pools) {
    const sums = new Map<string, number>();
    for (const { tenants } of flow.queues()) {
      for (const view of tenants) sums.set(view.tenant, (sums.get(view.tenant) ?? 0) + of(view));
    }
    for (const [tenant, sum] of sums) set({ pool: id, tenant }, sum);
  }
}
