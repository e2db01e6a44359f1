import type { ServiceStatus } from '@sluice/nest-kit';
import type { Router } from './router.ts';
import type { SiblingLink } from './siblings/sibling-link.ts';

/** Requests, and tokens that they have queued or hold. */
export interface Ledgered {
  readonly requests: number;
  readonly tokens: number;
}

/** Readiness and what is not as it should be; `url` of the data plane, null while it is closed. */
export function statusOf({ fleet, bus, prefix, feed, latency, siblings }: Router, url: string | null): ServiceStatus {
  const workers = [...fleet.workers()];
  const up = workers.filter(({ engine }) => engine.health.state === 'up').length;
  const events = workers.filter(({ spec }) => spec.kvEvents !== null);
  const live = events.filter((worker) => prefix.hasEvents(worker) && feed.confidence(worker.spec.id) === 'live').length;
  const approximate = [...fleet.pools.values()].filter(({ kit }) => kit === null);
  const connected = bus.state() === 'connected';
  return {
    // What makes routes worse, but not impossible, is no reason to send requests elsewhere.
    ready: url !== null && up > 0,
    checks: {
      dataPlane: { ok: url !== null, detail: url ?? 'is not open' },
      workers: { ok: up > 0, detail: `${up} of ${workers.length} up` },
      bus: { ok: connected, detail: connected ? 'connected' : 'disconnected: routing on what was last known' },
      index: { ok: live === events.length, detail: `${live} of ${events.length} workers with events are live` },
      siblings: { ok: connected, detail: `${heardSiblings(siblings)} heard` },
      tokenizers: {
        ok: approximate.length === 0,
        detail: approximate.map(({ id, kitReason }) => `${id}: ${kitReason}`).join('; ') || 'every pool has one',
      },
      latency: {
        ok: true,
        detail: latency.version === null ? 'priors of the profile' : `learned, version ${latency.version}`,
      },
    },
  };
}

const heardSiblings = (siblings: SiblingLink): number =>
  new Set(siblings.views().flatMap(({ siblings: heard }) => heard.map(({ router }) => router))).size;

/** What the ledgers of all pools say is in flight, in sum. */
export function ledgerOf({ fleet }: Router): Ledgered {
  let requests = 0;
  let tokens = 0;
  for (const { table } of fleet.pools.values()) {
    const { size, inflightRequests, queuedPrefillTokens, decodeContextTokens, heldKvTokens } = table.columns;
    for (let row = 0; row < size; row++) {
      requests += inflightRequests[row]!;
      tokens += queuedPrefillTokens[row]! + decodeContextTokens[row]! + heldKvTokens[row]!;
    }
  }
  return { requests, tokens };
}
