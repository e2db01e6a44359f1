import { describe, expect, it } from '@jest/globals';
import type { LiveLatency, LiveRequest, LiveSnapshot, LiveWorker } from '@sluice/contracts';
import { Latencies, ratePerS, sinceFirst } from './latency.ts';
import { filteredRequests, Requests } from './requests.ts';
import { conditionOf, filteredRows, groupsOf, loadOf, sortRows, sumsOf, Workers } from './workers.ts';

const worker = (name: string, rest: Partial<LiveWorker> = {}): LiveWorker => ({
  worker: name,
  pool: 'p',
  url: `http://${name}:8000`,
  dpRank: null,
  role: 'both',
  variant: 'h100',
  ...rest,
});

const COLUMNS = [
  'state',
  'up',
  'inflightRequests',
  'runningRequests',
  'waitingRequests',
  'kvUsage',
  'silentS',
] as const;

function snapshot(workers: readonly LiveWorker[], values: readonly (readonly number[])[]): LiveSnapshot {
  return {
    kind: 'snapshot',
    nowMs: 0,
    router: 'r',
    tickMs: 1000,
    fleetVersion: 1,
    columns: COLUMNS,
    workers,
    values,
    reasons: [],
    totals: {
      policy: 'x',
      inFlight: 0,
      held: 0,
      decisions: 0,
      busConnected: true,
      index: { nodes: 0, memberships: 0, speculative: 0, evictedNodes: 0, bytes: 0 },
    },
    requests: [],
    latency: [],
  };
}

/** Three workers: one well, one down, one that only prefills. */
function fleet(): Workers {
  const workers = new Workers();
  workers.load(
    snapshot(
      [worker('w10'), worker('w2', { variant: 'h200' }), worker('w3', { role: 'prefill' })],
      [
        [1, 2, 1],
        [1, 0, 0],
        [5, 0, 1],
        [2, 0, 3],
        [1, 0, 4],
        [0.5, 0.9, 0.1],
        [0, 9, 0],
      ],
    ),
  );
  return workers;
}

describe('Workers', () => {
  it('takes a snapshot and then what changes', () => {
    const workers = fleet();
    expect([workers.value('kvUsage', 0), workers.value('decodesRunning', 0)]).toEqual([0.5, 0]);
    workers.apply({ changes: [[5, [0, 2], [0.6, 0.2]]], reasons: [[1, 'refused']] });
    expect([0, 1, 2].map((row) => workers.value('kvUsage', row))).toEqual([0.6, 0.9, 0.2]);
    expect(workers.reasonOf(1)).toBe('refused');
    workers.apply({ changes: [], reasons: [[1, '']] });
    expect(workers.reasonOf(1)).toBeNull();
    expect([workers.row('w3'), workers.row('gone')]).toEqual([2, -1]);
  });

  it('says how a worker is, and who needs a look', () => {
    const workers = fleet();
    expect([0, 1, 2].map((row) => conditionOf(workers, row))).toEqual(['up', 'down', 'prefill']);
    workers.apply({ changes: [[6, [0], [12]]], reasons: [] });
    expect(conditionOf(workers, 0)).toBe('late');
    expect(filteredRows(workers, 'trouble')).toEqual([0, 1]);
    expect(filteredRows(workers, 'H200 down')).toEqual([1]);
    expect(filteredRows(workers, 'h200 up')).toEqual([]);
  });

  it('sorts by numbers, by names as people do, and equals by name', () => {
    const workers = fleet();
    const sorted = (...by: [Parameters<typeof sortRows>[2], boolean]) =>
      sortRows(workers, [0, 1, 2], ...by).map((row) => workers.list[row]!.worker);
    expect(sorted('worker', false)).toEqual(['w2', 'w3', 'w10']);
    expect(sorted('worker', true)).toEqual(['w10', 'w3', 'w2']);
    expect(sorted('kvUsage', true)).toEqual(['w2', 'w10', 'w3']);
    expect(sorted('condition', false)).toEqual(['w2', 'w3', 'w10']);
    expect(sorted('queuedPrefillTokens', true)).toEqual(['w2', 'w3', 'w10']);
  });

  it('counts what others send to an engine as its load too', () => {
    const workers = fleet();
    expect([0, 1, 2].map((row) => loadOf(workers, row))).toEqual([5, 0, 7]);
  });

  it('groups alike workers and sums up those that answer', () => {
    const workers = fleet();
    expect(groupsOf(workers, [0, 1, 2]).map(({ role, variant, rows }) => [role, variant, rows])).toEqual([
      ['both', 'h100', [0]],
      ['both', 'h200', [1]],
      ['prefill', 'h100', [2]],
    ]);
    const sums = sumsOf(workers);
    expect(sums).toMatchObject({ total: 3, up: 2, troubled: 1, maxKvUsage: 0.5, waiting: 5 });
    expect(sums.meanKvUsage).toBeCloseTo(0.3);
  });
});

const request = (id: string, atMs: number, rest: Partial<LiveRequest> = {}): LiveRequest => ({
  id,
  atMs,
  pool: 'p',
  model: 'm',
  policy: 'x',
  worker: 'w1',
  promptTokens: 10,
  retryOf: null,
  movedFrom: null,
  followedBy: null,
  cachedTokens: 0,
  predictedTtftMs: 20,
  outcome: null,
  ...rest,
});
const ended = (result: string) => ({
  result,
  status: 200,
  cachedTokens: 0,
  outputTokens: 1,
  ttftMs: 5,
  tpotMs: null,
  e2eMs: 9,
  heldMs: 0,
});
const nothing = { forgotten: [], skipped: 0 };

describe('Requests', () => {
  it('keeps the latest first, each once, as it was told last', () => {
    const requests = new Requests();
    requests.load('r', [request('b', 2), request('a', 1)]);
    requests.apply('r', { ...nothing, requests: [request('c', 3), request('a', 1, { outcome: ended('completed') })] });
    expect(requests.list.map(({ id }) => id)).toEqual(['c', 'b', 'a']);
    expect(requests.list.map((each) => requests.endingOf(each))).toEqual(['open', 'open', 'completed']);
  });

  it('knows a retried request from a failed one, however late that is told', () => {
    const requests = new Requests();
    requests.load('r', [
      request('a', 1, { outcome: ended('upstream-error') }),
      request('x', 0, { outcome: ended('upstream-error') }),
    ]);
    expect(requests.endingOf(requests.get('a')!)).toBe('failed');
    requests.apply('r', { ...nothing, requests: [request('b', 2, { retryOf: 'a' })] });
    expect(requests.endingOf(requests.get('a')!)).toBe('retried');
    expect(requests.list[1]).toBe(requests.get('a'));
    expect(requests.endingOf(requests.get('x')!)).toBe('failed');
  });

  it('says what is no longer known, and counts what was not told', () => {
    const requests = new Requests();
    requests.load('r', [request('a', 1)]);
    requests.apply('r', { requests: [], forgotten: ['a', 'never told'], skipped: 7 });
    expect(requests.endingOf(requests.get('a')!)).toBe('gone');
    expect(requests.skipped).toBe(7);
  });

  it('is bounded', () => {
    const requests = new Requests();
    for (let i = 0; i < 25; i++) {
      const batch = Array.from({ length: 100 }, (_, k) => request(`${i}-${k}`, i * 100 + k));
      requests.apply('r', { ...nothing, requests: batch.reverse() });
    }
    expect([requests.list.length, requests.list[0]!.id, requests.list.at(-1)!.id]).toEqual([2000, '24-99', '5-0']);
    expect(requests.get('4-99')).toBeNull();
  });

  it('filters by words', () => {
    const requests = new Requests();
    requests.load('r', [request('a', 1, { worker: 'h100-1' }), request('b', 0, { outcome: ended('rejected') })]);
    expect(filteredRequests(requests, 'H100 open').map(({ id }) => id)).toEqual(['a']);
    expect(filteredRequests(requests, 'rejected').map(({ id }) => id)).toEqual(['b']);
    expect(filteredRequests(requests, ' ')).toBe(requests.list);
  });
});

const slot = (number: number, completed = 0): LiveLatency => ({
  startMs: number * 5000,
  durationMs: 5000,
  completed,
  failed: 0,
  ttftMs: null,
  tpotMs: null,
  e2eMs: null,
});

describe('Latencies', () => {
  it('appends what was closed since, once, and drops what is too old', () => {
    const latencies = new Latencies();
    latencies.load([{ pool: '', slots: [slot(0), slot(1)], windows: [slot(0, 1)] }]);
    latencies.apply([{ pool: '', slots: [slot(1, 9), slot(2)], windows: [slot(0, 2)] }]);
    latencies.apply([{ pool: 'late', slots: [slot(2)], windows: [] }]);
    expect(latencies.of('').slots.map(({ startMs, completed }) => [startMs, completed])).toEqual([
      [0, 0],
      [5000, 0],
      [10_000, 0],
    ]);
    expect(latencies.of('').windows[0]!.completed).toBe(2);
    expect([latencies.pools, latencies.of('none').slots]).toEqual([['late'], []]);
    latencies.apply([{ pool: '', slots: Array.from({ length: 300 }, (_, i) => slot(3 + i)), windows: [] }]);
    expect(latencies.of('').slots.map(({ startMs }) => startMs / 5000)).toEqual(
      Array.from({ length: 180 }, (_, i) => 123 + i),
    );
  });

  it('says the rate of the last slots', () => {
    expect(ratePerS([])).toBeNull();
    expect(ratePerS([slot(0, 1000), slot(1, 10), slot(2, 20), slot(3, 30)])).toBe(4);
  });

  it('leaves out the time before the first answer, but not all of it', () => {
    const slots = [slot(0), slot(1), slot(2), slot(3, 1), slot(4), slot(5)];
    expect(sinceFirst(slots, 2).map(({ startMs }) => startMs / 5000)).toEqual([3, 4, 5]);
    expect(sinceFirst(slots, 5)).toHaveLength(5);
    expect(sinceFirst(slots.slice(0, 3), 2)).toHaveLength(2);
  });
});
