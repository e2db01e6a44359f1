import { afterEach, describe, expect, it } from '@jest/globals';
import { createMemoryBus } from '@sluice/bus';
import type { Bus } from '@sluice/bus';
import { decodeLedgerMessage, encodeLedgerMessage, ledgerMessages } from '@sluice/contracts';
import { STEP_PROFILES, poolId, workerId } from '@sluice/model';
import type { LedgerMessage } from '@sluice/model';
import { createFleetTable, createLedger } from '@sluice/routing';
import type { FleetTable, Ledger } from '@sluice/routing';
import { createLogger, createMetrics } from '@sluice/telemetry';
import type { Metrics } from '@sluice/telemetry';
import { until } from '@sluice/upstream/testing';
import { SiblingLink } from './sibling-link.ts';

const tiny = poolId('tiny');
const w0 = workerId('w0');
const request = { promptTokens: 100, uncachedTokens: 60, expectedOutputTokens: 10 };
const now = (): number => performance.timeOrigin + performance.now();

interface TestLink {
  readonly link: SiblingLink;
  readonly pools: Map<string, { id: typeof tiny; table: FleetTable }>;
  readonly table: FleetTable;
  readonly ledger: Ledger;
  readonly metrics: Metrics;
  /** In flight on w0, and how many of them are siblings'. */
  readonly inFlight: () => [number, number];
}

const links: SiblingLink[] = [];
afterEach(() => {
  for (const link of links.splice(0)) link.stop();
});

function start(
  bus: Bus,
  router: string,
  rest: { heartbeatMs?: number; expiryMs?: number; now?: () => number } = {},
): TestLink {
  const table = createFleetTable();
  table.addWorker(w0, STEP_PROFILES['qwen3-32b-tp2-h100']);
  const pools = new Map([[tiny, { id: tiny, table }]]);
  const metrics = createMetrics({ service: 'router', process: false });
  const logger = createLogger({ service: 'router', level: 'fatal' });
  const link = new SiblingLink({ bus, router, pools: () => pools.values(), metrics, logger, now, ...rest });
  link.start();
  links.push(link);
  const inFlight = (): [number, number] => [table.columns.inflightRequests[0]!, table.columns.siblingRequests[0]!];
  return { link, pools, table, ledger: createLedger(table), metrics, inFlight };
}

/** Everything that is said on the bus from now on. */
function listen(bus: Bus): LedgerMessage[] {
  const said: LedgerMessage[] = [];
  bus.receive(ledgerMessages, (_tokens, bytes) => said.push(decodeLedgerMessage(bytes)));
  return said;
}

const heard = (a: TestLink, count: number): Promise<void> =>
  until(() => a.link.views()[0]?.siblings.length === count, `${count} siblings`);

const rests = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('SiblingLink', () => {
  it('a router that joins is answered at once with all that is in flight, and hears bookings from then on', async () => {
    const bus = createMemoryBus();
    const a = start(bus, 'a');
    const first = a.ledger.book(0, request);
    const said = listen(bus);
    const b = start(bus, 'b');
    await until(() => b.inFlight().join() === '1,1', 'what was in flight before is heard');
    expect(said.find(({ router, rows }) => router === 'a' && rows.length > 0)).toMatchObject({ kind: 'state' });
    expect(a.inFlight()).toEqual([1, 0]);
    const second = a.ledger.book(0, request);
    const own = b.ledger.book(0, request);
    await until(() => b.inFlight().join() === '3,2' && a.inFlight().join() === '3,1', 'both see three');
    for (const booking of [first, second, own]) booking.release();
    await until(() => b.inFlight().join() === '0,0' && a.inFlight().join() === '0,0', 'both see none');
    await a.metrics.text().then((text) => {
      expect(text).toMatch(/sluice_router_siblings\{.*pool="tiny".*\} 1/);
      expect(text).toMatch(/sluice_router_ledger_messages_total\{.*what="applied".*\} [1-9]/);
    });
  });

  it('says bookings of one moment in one message, and output that grows in the next heartbeat or tick', async () => {
    const bus = createMemoryBus();
    const a = start(bus, 'a');
    const b = start(bus, 'b');
    await heard(a, 1);
    await heard(b, 1);
    await rests(20);
    const said = listen(bus);
    const bookings = Array.from({ length: 50 }, () => a.ledger.book(0, request));
    await until(() => b.inFlight()[1] === 50, 'the burst is heard');
    expect(said.filter(({ router }) => router === 'a')).toMatchObject([
      { kind: 'changes', rows: [{ worker: 'w0', inFlight: { requests: 50 } }] },
    ]);
    for (const booking of bookings) booking.tokens(7);
    await until(() => b.table.columns.decodeContextTokens[0] === 50 * 107, 'growth is heard');
    for (const booking of bookings) booking.tokens(1);
    await until(() => b.table.columns.decodeContextTokens[0] === 50 * 108, 'growth is heard again');
  });

  it('alone it says its state at every heartbeat, and nothing else', async () => {
    const bus = createMemoryBus();
    const said = listen(bus);
    const startedAtMs = performance.now();
    const a = start(bus, 'a', { heartbeatMs: 30 });
    for (let i = 0; i < 20; i++) {
      a.ledger.book(0, request);
      await rests(5);
    }
    expect(said.length).toBeGreaterThan(1);
    expect(said.length).toBeLessThanOrEqual(2 + (performance.now() - startedAtMs) / 30);
    expect(said.every(({ kind, router }) => kind === 'state' && router === 'a')).toBe(true);
    expect(said.map(({ seq }) => seq)).toEqual(said.map((_, i) => i));
  });

  it('forgets a sibling that leaves at once, and one that falls silent after its expiry', async () => {
    const bus = createMemoryBus();
    const a = start(bus, 'a', { heartbeatMs: 25, expiryMs: 150 });
    const b = start(bus, 'b', { heartbeatMs: 20 });
    b.ledger.book(0, request);
    await until(() => a.inFlight()[1] === 1, 'b is heard');
    b.link.stop();
    await heard(a, 0);
    expect(a.inFlight()).toEqual([0, 0]);
    expect(await a.metrics.text()).toMatch(/sluice_router_siblings_expired_total\{.*\} 0/);

    const silent = { kind: 'state' as const, router: 'dead', epoch: 1, seq: 0, sentAtMs: 0 };
    const inFlight = { ...silent, rows: [{ worker: w0, inFlight: { ...none, requests: 4 } }] };
    bus.send(ledgerMessages, [tiny], encodeLedgerMessage(inFlight));
    await until(() => a.inFlight()[1] === 4, 'the other is heard');
    await heard(a, 0);
    expect(a.inFlight()).toEqual([0, 0]);
    expect(await a.metrics.text()).toMatch(/sluice_router_siblings_expired_total\{.*\} 1/);
  });

  it('does not take its own messages, those of pools that it has not, nor what is no message', async () => {
    const bus = createMemoryBus();
    const a = start(bus, 'a');
    const state = { kind: 'state' as const, epoch: 1, seq: 0, sentAtMs: 0 };
    const rows = [{ worker: w0, inFlight: { ...none, requests: 4 } }];
    bus.send(ledgerMessages, [tiny], encodeLedgerMessage({ ...state, router: 'a', rows }));
    bus.send(ledgerMessages, ['other'], encodeLedgerMessage({ ...state, router: 'x', rows }));
    bus.send(ledgerMessages, [tiny], new Uint8Array(7));
    bus.send(ledgerMessages, [tiny], encodeLedgerMessage({ ...state, router: 'y', rows: [] }));
    await heard(a, 1);
    expect(a.link.views()[0]!.siblings[0]!.router).toBe('y');
    expect(a.inFlight()).toEqual([0, 0]);
    expect(await a.metrics.text()).toMatch(/what="invalid".*\} 1/);
    expect(bus.counters.handlerErrors).toBe(0);
  });

  it('keeps siblings while it was itself held up, until it has read what they said', async () => {
    const bus = createMemoryBus();
    const a = start(bus, 'a', { heartbeatMs: 40, expiryMs: 120 });
    start(bus, 'b', { heartbeatMs: 40 });
    await heard(a, 1);
    const known = a.link.views()[0]!.siblings[0]!.joinedAtMs;
    const until = performance.now() + 400;
    while (performance.now() < until); // the whole process: what b would have said is not said yet
    await rests(100);
    expect(a.link.views()[0]!.siblings[0]!.joinedAtMs).toBe(known);
  });

  it('a pool that goes is left, one that comes is shared', async () => {
    const bus = createMemoryBus();
    const a = start(bus, 'a');
    const b = start(bus, 'b');
    b.ledger.book(0, request);
    await until(() => a.inFlight()[1] === 1, 'b is heard');
    b.pools.clear();
    b.link.poolsChanged();
    await heard(a, 0);
    const table = createFleetTable();
    table.addWorker(w0, STEP_PROFILES['qwen3-32b-tp2-h100']);
    b.pools.set(tiny, { id: tiny, table });
    b.link.poolsChanged();
    createLedger(table).book(0, request);
    await until(() => a.inFlight().join() === '1,1', 'the new pool is heard');
  });
});

const none = {
  requests: 0,
  queuedPrefillTokens: 0,
  decodes: 0,
  decodeContextTokens: 0,
  heldKvTokens: 0,
  growthTokens: 0,
};
