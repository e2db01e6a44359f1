import { describe, expect, it } from '@jest/globals';
import type { LiveColumn, LiveLatency, LiveQuantiles, LiveRequest, LiveSnapshot } from '@sluice/contracts';
import { FleetUnion } from './fleet-union.ts';
import { LatencyUnion } from './latency-union.ts';
import { Latencies } from './latency.ts';
import { filteredRequests, Requests } from './requests.ts';
import { totalsOf } from './totals.ts';
import { conditionOf, filteredRows, isTroubled, loadOf, sumsOf, Workers } from './workers.ts';

type Numbers = Partial<Record<LiveColumn, number>>;

/** The fleet as one router tells it. */
function told(of: Readonly<Record<string, Numbers>>, reasons: Readonly<Record<string, string>> = {}): Workers {
  const names = Object.keys(of);
  const columns = [...new Set(Object.values(of).flatMap((numbers) => Object.keys(numbers)))] as LiveColumn[];
  const workers = new Workers();
  workers.load({
    columns,
    workers: names.map((worker) => ({ worker, pool: 'p', url: '', dpRank: null, role: 'both', variant: 'v' })),
    values: columns.map((column) => names.map((name) => of[name]![column] ?? 0)),
    reasons: Object.entries(reasons).map(([name, reason]) => [names.indexOf(name), reason] as const),
  } as unknown as LiveSnapshot);
  return workers;
}
const union = (...fleets: readonly Workers[]): FleetUnion =>
  new FleetUnion(fleets.map((workers, i) => ({ router: `router-${'abc'[i]!}`, workers })));

describe('the fleet of several routers', () => {
  it('has every worker once, in whatever rows the routers have it', () => {
    const fleet = union(told({ x: { up: 1 }, y: {} }), told({ z: {}, y: {}, x: { up: 1 } }));
    expect(fleet.list.map(({ worker }) => worker)).toEqual(['x', 'y', 'z']);
    expect(['x', 'z', 'gone'].map((name) => fleet.row(name))).toEqual([0, 2, -1]);
    expect(fleet.toldOf(2).map(({ router, row }) => [router, row])).toEqual([['router-b', 0]]);
    expect(fleet.toldOf(0).map(({ router, row }) => [router, row])).toEqual([
      ['router-a', 0],
      ['router-b', 2],
    ]);
  });

  it('says where the routers differ, and what each of them says', () => {
    const well = { state: 1, up: 1 };
    const a = told({ x: well, y: well, z: { state: 2 } });
    const b = told({ x: well, y: { state: 2 }, z: { state: 2 } }, { y: 'ECONNREFUSED', z: 'timeout' });
    const fleet = union(a, b);
    expect([0, 1, 2].map((row) => conditionOf(fleet, row))).toEqual(['up', 'differs', 'down']);
    expect(isTroubled('differs')).toBe(true);
    expect(fleet.toldOf(1).map(({ workers, row, reason }) => [conditionOf(workers, row), reason])).toEqual([
      ['up', null],
      ['down', 'ECONNREFUSED'],
    ]);
    expect([0, 1, 2].map((row) => fleet.reasonOf(row))).toEqual([null, 'ECONNREFUSED', 'timeout']);
    expect(filteredRows(fleet, 'differs')).toEqual([1]);
    expect(sumsOf(fleet)).toMatchObject({ total: 3, up: 1, troubled: 2 });
    b.apply({ changes: [[0, [1], [1]]], reasons: [[1, '']] });
    fleet.refresh();
    expect(fleet.value('state', 1)).toBe(1);
  });

  it('counts what is in flight once, whether routers hear each other or not', () => {
    for (let i = 0; i < 4 ** 4; i++) {
      const [stranger, ...own] = [i % 4, (i >> 2) % 4, (i >> 4) % 4, i >> 6] as [number, number, number, number];
      const all = own[0] + own[1] + own[2] + stranger;
      const shared = own.map((mine) => told({ x: { inflightRequests: all, siblingRequests: all - mine } }));
      expect(union(...shared).value('inflightRequests', 0)).toBe(all);
      expect(union(...shared).value('siblingRequests', 0)).toBe(stranger);
      const apart = own.map((mine) => told({ x: { inflightRequests: mine, siblingRequests: 0 } }));
      expect(union(...apart).value('inflightRequests', 0)).toBe(all - stranger);
      expect(union(...apart).value('siblingRequests', 0)).toBe(0);
    }
  });

  it('adds up what is held, and takes the largest of what is read of the engine', () => {
    const a = told({ x: { heldRequests: 2, kvUsage: 0.4, waitingRequests: 3, prefixes: 2, silentS: 0 } });
    const b = told({ x: { heldRequests: 5, kvUsage: 0.5, waitingRequests: 1, prefixes: 1, silentS: 9 } });
    const fleet = union(a, b);
    const columns = ['heldRequests', 'kvUsage', 'waitingRequests', 'prefixes', 'silentS'] as const;
    expect(columns.map((column) => fleet.value(column, 0))).toEqual([7, 0.5, 3, 1, 9]);
    expect(loadOf(fleet, 0)).toBe(3);
  });

  it('sums up their totals', () => {
    const totals = (policy: string, inFlight: number, nodes: number) => ({
      policy,
      inFlight,
      held: 1,
      decisions: 5,
      busConnected: true,
      index: { nodes, memberships: 0, speculative: 0, evictedNodes: 0, bytes: 0 },
    });
    expect(totalsOf([totals('p2c', 3, 10), totals('p2c', 4, 20)])).toEqual({
      policies: ['p2c'],
      inFlight: 7,
      held: 2,
      prefixes: 20,
    });
    expect(totalsOf([totals('p2c', 0, 0), totals('random', 0, 0)]).policies).toEqual(['p2c', 'random']);
  });
});

describe('the requests of several routers', () => {
  const request = (id: string, atMs: number): LiveRequest =>
    ({
      id,
      atMs,
      worker: 'w',
      pool: 'p',
      model: null,
      retryOf: null,
      movedFrom: null,
      followedBy: null,
      outcome: null,
    }) as LiveRequest;

  it('are in one list by time, each with its router', () => {
    const requests = new Requests();
    requests.load('router-a', [request('a1', 1), request('a3', 3)]);
    requests.load('router-b', [request('b2', 2)]);
    const tick = { forgotten: [], skipped: 2 };
    requests.apply('router-b', { ...tick, requests: [request('b4', 4)] });
    expect(requests.list.map(({ id, router }) => `${id} ${router}`)).toEqual([
      'b4 router-b',
      'a3 router-a',
      'b2 router-b',
      'a1 router-a',
    ]);
    expect(filteredRequests(requests, 'router-a').map(({ id }) => id)).toEqual(['a3', 'a1']);
    // a router that began anew takes nothing from the others
    requests.load('router-a', [request('a5', 5)]);
    expect(requests.list.map(({ id }) => id)).toEqual(['a5', 'b4', 'b2']);
    expect(requests.get('a3')).toBeNull();
  });
});

describe('the latencies of several routers', () => {
  const slot = (number: number, completed: number, ttftMs: LiveQuantiles = null): LiveLatency => ({
    startMs: number * 5000,
    durationMs: 5000,
    completed,
    failed: 1,
    ttftMs,
    tpotMs: null,
    e2eMs: null,
  });
  const of = (slots: readonly LiveLatency[], pool = ''): Latencies => {
    const latencies = new Latencies();
    latencies.load([{ pool, slots, windows: slots.slice(-1) }]);
    return latencies;
  };

  it('add up, up to the last slot that all have closed, with the quantiles of the slowest', () => {
    const a = of([slot(1, 10), slot(2, 20, [1, 2, 3, 40]), slot(3, 30)]);
    const b = of([slot(2, 5, [2, 2, 2, 9])]);
    const both = new LatencyUnion([a, b]).of('');
    expect(both.slots.map(({ startMs, completed, failed }) => [startMs / 5000, completed, failed])).toEqual([
      [1, 10, 1],
      [2, 25, 2],
    ]);
    expect(both.slots[1]!.ttftMs).toEqual([2, 2, 3, 40]);
    expect(both.windows.map(({ completed }) => completed)).toEqual([35]);
  });

  it('have the pools of all, and nothing of a pool that none has', () => {
    const all = new LatencyUnion([of([slot(1, 1)], 'p'), of([slot(1, 1)], 'q')]);
    expect(all.pools).toEqual(['p', 'q']);
    expect(all.of('none')).toEqual({ pool: 'none', slots: [], windows: [] });
  });
});
