import type { ShedReason, Ticket } from '@sluice/flow-control';
import type { Counter, Histogram, Metrics } from '@sluice/telemetry';
import type { Pool } from '../fleet/pool.ts';
import type { Turn } from './turn.ts';

const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160];

/** Counts turns; docs/flow-control.md explains every metric. `pools` are read when somebody scrapes. */
export class FlowMetrics {
  readonly #wait: Histogram<'pool' | 'band'>;
  readonly #shed: Counter<'pool' | 'band' | 'reason'>;
  /** Children by pool and index of the band: looking one up by its labels is dear. */
  readonly #waits = new Map<string, Histogram.Internal<'pool' | 'band'>[]>();

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
    });
    registerQueueGauges(metrics, pools);
  }

  waited(pool: Pool, { flow: { band } }: Ticket<Turn>, ms: number): void {
    let children = this.#waits.get(pool.id);
    if (children === undefined) this.#waits.set(pool.id, (children = []));
    const child = (children[band.index] ??= this.#wait.labels({ pool: pool.id, band: String(band.priority) }));
    child.observe(ms / 1000);
  }

  shed(pool: Pool, { flow: { band } }: Ticket<Turn>, reason: ShedReason): void {
    this.#shed.inc({ pool: pool.id, band: String(band.priority), reason });
  }
}

function registerQueueGauges(metrics: Metrics, pools: () => Iterable<Pool>): void {
  const requests = metrics.gauge({
    name: 'router_queue_requests',
    help: 'Requests held by band',
    labels: ['pool', 'band'],
    collect: () => {
      for (const gauge of [requests, bytes]) gauge.reset();
      for (const { id, flow } of pools()) {
        for (const band of flow.queues()) {
          requests.set({ pool: id, band: String(band.priority) }, band.requests);
          bytes.set({ pool: id, band: String(band.priority) }, band.bytes);
        }
      }
    },
  });
  // registered after `requests`, whose collection fills it
  const bytes = metrics.gauge({
    name: 'router_queue_bytes',
    help: 'Body bytes of the requests held by band',
    labels: ['pool', 'band'],
  });
  const workers = metrics.gauge({
    name: 'router_worker_held',
    help: 'Requests that wait for a worker',
    labels: ['pool', 'worker'],
    collect: () => {
      workers.reset();
      for (const pool of pools()) {
        for (const worker of pool.workers.values())
          workers.set({ pool: pool.id, worker: worker.spec.id }, worker.line.held);
      }
    },
  });
  const held = metrics.gauge({
    name: 'router_tenant_held',
    help: 'Requests held by tenant',
    labels: ['pool', 'tenant'],
  });
  const served = metrics.counter({
    name: 'router_tenant_served_tokens_total',
    help: 'Service of ended requests by tenant: uncached prompt tokens, and output tokens twice',
    labels: ['pool', 'tenant'],
    collect: () => {
      held.reset();
      served.reset();
      for (const { id, flow } of pools()) {
        for (const band of flow.queues()) {
          for (const tenant of band.tenants) {
            held.inc({ pool: id, tenant: tenant.tenant }, tenant.held);
            served.inc({ pool: id, tenant: tenant.tenant }, tenant.servedTokens);
          }
        }
      }
    },
  });
}
