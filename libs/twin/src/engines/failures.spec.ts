import { describe, expect, it } from '@jest/globals';
import type { TwinOptions, TwinResult } from '../api.ts';
import { ENGINE, engines, request, sharing } from '../testing/requests.ts';
import { runTwin } from '../twin.ts';

/** Runs it and keeps every decision as [request, engine, time]. */
function run(options: Partial<TwinOptions>): TwinResult & { decisions: [number, number, number][] } {
  const decisions: [number, number, number][] = [];
  const result = runTwin({
    requests: [],
    engines: engines(2),
    policy: 'round-robin',
    seed: 1,
    keepRecords: true,
    onDecision: (index, row, nowMs) => decisions.push([index, row, nowMs]),
    ...options,
  });
  return { ...result, decisions };
}

const ttftAloneMs = runTwin({ requests: [request(0, 500, 5)], engines: [ENGINE], policy: 'random', seed: 1 }).ttftMs
  .mean!;

describe('an engine that dies', () => {
  it('loses requests without a first token to another engine at once', () => {
    const { decisions, failed, records } = run({
      requests: [request(0, 500, 5)],
      failures: [{ atMs: 20, engine: 0, kind: 'kill' }],
    });
    expect(decisions).toEqual([
      [0, 0, 0],
      [0, 1, 20],
    ]);
    expect(failed).toBe(0);
    expect(records!.ttftMs[0]).toBeCloseTo(20 + ttftAloneMs, 6);
    expect(records!.engine[0]).toBe(1);
  });

  it('fails requests that have a token', () => {
    const { decisions, failed, records, e2eMs } = run({
      requests: [request(0, 500, 500), request(5, 500, 5)],
      failures: [{ atMs: 1000, engine: 0, kind: 'kill' }],
    });
    expect(decisions).toHaveLength(2);
    expect(failed).toBe(1);
    expect([...records!.ttftMs].map(Number.isFinite)).toEqual([false, true]);
    expect(e2eMs.mean).toBeNull();
  });

  it('refuses connections until its death is noticed: they go elsewhere, and none comes again', () => {
    const { decisions, failed, records } = run({
      requests: [request(50, 500, 5), request(400, 500, 5), request(800, 500, 5)],
      failures: [{ atMs: 10, engine: 0, kind: 'kill' }],
      failureDetectMs: 1e6,
    });
    expect(decisions.map(([index, row]) => [index, row])).toEqual([
      [0, 0],
      [0, 1],
      [1, 1],
      [2, 1],
    ]);
    expect(failed).toBe(0);
    expect(records!.ttftMs[0]).toBeCloseTo(ttftAloneMs, 6);
  });

  it('is noticed by itself after a while', () => {
    const tried = (arrivalMs: number) =>
      run({
        requests: [request(arrivalMs, 500, 5)],
        failures: [{ atMs: 10, engine: 0, kind: 'kill' }],
        failureDetectMs: 100,
      }).decisions.map(([, row]) => row);
    expect(tried(105)).toEqual([0, 1]);
    expect(tried(115)).toEqual([1]);
  });

  it('is retried twice and no more, and not at all where nothing is up', () => {
    const failures = [0, 1, 2, 3].map((engine) => ({ atMs: 10, engine, kind: 'kill' as const }));
    const requests = [request(50, 500, 5), request(500, 500, 5)];
    const { decisions, failed, records } = run({ requests, engines: engines(4), failures });
    expect(decisions.map(([index]) => index)).toEqual([0, 0, 0]);
    expect(failed).toBe(2);
    expect(records!.engine[1]).toBe(-1);
  });
});

describe('an engine that comes back', () => {
  const failures = [
    { atMs: 1000, engine: 0, kind: 'kill' as const },
    { atMs: 3010, engine: 0, kind: 'return' as const },
  ];

  it('is empty, and is sent requests after the next look at its metrics', () => {
    const requests = [0, 2020, 3020, 3060].map((atMs) => sharing(7, 800, atMs));
    const { decisions, records } = run({ requests, failures, engines: engines(1) });
    expect([...records!.cachedTokens]).toEqual([0, 0, 0, 0]);
    // not there, not yet seen, there
    expect([...records!.engine]).toEqual([0, -1, -1, 0]);
    expect(decisions).toHaveLength(2);
  });

  it('is not believed to hold what it held before', () => {
    // the text is on the engine that dies, then on the other one, which stays its place
    const requests = [0, 2000, ...Array.from({ length: 12 }, (_, i) => 4000 + 400 * i)].map((atMs) =>
      sharing(7, 3000, atMs),
    );
    const rows = (changes: typeof failures) =>
      run({ requests, failures: changes, policy: 'expected-latency' }).decisions.map(([, row]) => row);
    const [first] = rows([]);
    expect(new Set(rows([]))).toEqual(new Set([first]));
    const [before, ...after] = rows(failures.map((change) => ({ ...change, engine: first! })));
    expect(before).toBe(first);
    expect(new Set(after)).toEqual(new Set([1 - first!]));
  });

  it('counts the steps of its life before', () => {
    const requests = [request(0, 500, 20), request(3500, 500, 20)];
    const { engineSteps, failed } = run({ requests, failures, engines: engines(1) });
    expect([engineSteps, failed]).toEqual([40, 0]);
  });
});

describe('an engine that joins', () => {
  it('gets nothing before, and its share after', () => {
    const requests = Array.from({ length: 40 }, (_, i) => request(100 * i, 500, 5));
    const { decisions, failed } = run({ requests, engines: [ENGINE, { ...ENGINE, joinsMs: 1990 }] });
    expect(failed).toBe(0);
    expect(new Set(decisions.slice(0, 20).map(([, row]) => row))).toEqual(new Set([0]));
    expect(decisions.slice(20).filter(([, row]) => row === 1)).toHaveLength(10);
  });
});

describe('failures that cannot be', () => {
  const kill = (atMs: number, engine = 0) => ({ atMs, engine, kind: 'kill' as const });
  it.each([
    ['engine 5 of 2', [kill(1, 5)]],
    ['cannot die', [kill(1), kill(2)]],
    ['cannot return', [{ atMs: 1, engine: 0, kind: 'return' as const }]],
    ['order of time', [kill(2), kill(1, 1)]],
  ])('are refused: %s', (message, failures) => {
    expect(() => run({ failures })).toThrow(message);
  });

  it('are refused before the engine joined', () => {
    expect(() => run({ engines: [ENGINE, { ...ENGINE, joinsMs: 10 }], failures: [kill(5, 1)] })).toThrow('cannot die');
  });
});
