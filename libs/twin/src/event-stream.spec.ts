import { describe, expect, it } from '@jest/globals';
import { createEngine, PROFILES } from '@sluice/engine-model';
import type { EngineRequest, KvEvent } from '@sluice/engine-model';
import { workerId } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createFleetTable } from '@sluice/routing';
import { EventStream } from './event-stream.ts';
import { KvHoldings } from './kv-holdings.ts';
import { PrefixView } from './prefix-view.ts';
import { engines, sharing } from './testing/requests.ts';
import { createTimeline } from './timeline.ts';
import { runTwin } from './twin.ts';

/** Prompts of few texts through a small engine: its events, step by step. */
function eventsOfAnEngine(seed: number): { readonly batches: KvEvent[][]; readonly prompts: Uint32Array[] } {
  const rng = seededRng(seed);
  const profile = PROFILES['llama-3.1-8b-h100'];
  const engine = createEngine({ profile, blockSize: 16, kvBlocks: 40 });
  const prompts = Array.from({ length: 40 }, () =>
    Uint32Array.from({ length: 20 + Math.floor(rng() * 150) }, (_, i) => (i < 64 ? 1 : Math.floor(rng() * 2)) + i),
  );
  const batches: KvEvent[][] = [];
  let nowMs = 0;
  for (const promptTokens of prompts) {
    const request: EngineRequest = {
      promptTokens,
      maxTokens: 20,
      stopToken: null,
      loraName: null,
      cacheSalt: null,
      nextToken: (position) => position,
    };
    engine.submit(request, nowMs);
    for (let k = 0; k < 8; k++) {
      const step = engine.step(nowMs);
      if (step === null) break;
      nowMs += step.durationMs;
      batches.push([...step.events]);
    }
  }
  return { batches, prompts };
}

const cachedIn = (view: PrefixView, prompts: readonly Uint32Array[]): number[] => {
  const table = createFleetTable();
  table.addWorker(workerId('engine-0'), PROFILES['llama-3.1-8b-h100'].step);
  return prompts.map((prompt) => {
    view.fillCachedTokens(table.columns, new Uint8Array(prompt.buffer), 0);
    return table.columns.cachedTokens[0]!;
  });
};

describe('KvHoldings', () => {
  it.each([1, 2, 3])('announces what whoever heard everything knows, and goes on from there (%s)', (seed) => {
    const { batches, prompts } = eventsOfAnEngine(seed);
    const holdings = new KvHoldings();
    const [heardAll, resynced] = [new PrefixView([workerId('engine-0')]), new PrefixView([workerId('engine-0')])];
    const half = batches.length >> 1;
    for (const [k, batch] of batches.entries()) {
      heardAll.apply(0, batch, k);
      holdings.apply(batch);
      if (k === half) resynced.reopen(0, holdings.announce(), k);
      else if (k > half) resynced.apply(0, batch, k);
      if (k === half) expect(cachedIn(resynced, prompts)).toEqual(cachedIn(heardAll, prompts));
    }
    const known = cachedIn(heardAll, prompts);
    expect(cachedIn(resynced, prompts)).toEqual(known);
    expect(Math.max(...known)).toBeGreaterThan(0);
  });

  it('counts copies, and is empty after a clear', () => {
    const holdings = new KvHoldings();
    const hashes = BigUint64Array.of(1n, 2n);
    const stored: KvEvent = {
      kind: 'stored',
      hashes,
      parent: null,
      tokenIds: new Uint32Array(32),
      blockSize: 16,
      loraName: null,
      cacheSalt: null,
    };
    holdings.apply([stored, stored, { kind: 'removed', hashes: BigUint64Array.of(1n, 2n, 2n) }]);
    expect(holdings.announce()).toMatchObject([{ hashes: BigUint64Array.of(1n), parent: null }]);
    holdings.apply([stored]);
    expect(holdings.announce()).toHaveLength(3);
    holdings.apply([{ kind: 'cleared' }]);
    expect(holdings.announce()).toEqual([]);
  });
});

describe('EventStream', () => {
  /** Batches at whole milliseconds; `lost` says which do not arrive. */
  function heard(lost: readonly number[], count: number, reopenedAt = -1): string[] {
    const said: string[] = [];
    const timeline = createTimeline();
    let batch = 0;
    const stream = new EventStream(
      {
        eventsArrived: (_row, _events, nowMs) => said.push(`arrived ${nowMs}`),
        eventsMissed: () => said.push(`missed ${timeline.nowMs}`),
        eventsReopened: (_row, _events, nowMs) => said.push(`reopened ${nowMs}`),
      },
      timeline,
      { share: 0.5, resyncMs: 3, rng: () => (lost.includes(batch) ? 0 : 0.9), holdings: [new KvHoldings()] },
    );
    for (let k = 0; k < count; k++) {
      const fire = (nowMs: number): void => {
        batch = k;
        if (k === reopenedAt) stream.reopened(0, nowMs);
        else stream.batch(0, [], nowMs);
      };
      timeline.push(k, { fire });
    }
    for (let due = timeline.pop(); due !== undefined; due = timeline.pop()) due.fire(timeline.nowMs);
    return said;
  }

  it('passes on what is whole', () => {
    expect(heard([], 2)).toEqual(['arrived 0', 'arrived 1']);
  });

  it('finds the gap at the next batch, passes over what comes until the resync, and goes on after it', () => {
    expect(heard([1, 2, 4], 8)).toEqual(['arrived 0', 'missed 3', 'arrived 7', 'reopened 6'].sort(byTime));
  });

  it('knows nothing of a gap at the end', () => {
    expect(heard([1], 2)).toEqual(['arrived 0']);
  });

  it('believes a new engine at once, and forgets the resync of the one before', () => {
    expect(heard([1], 8, 4)).toEqual(['arrived 0', 'missed 2', 'reopened 4', 'arrived 5', 'arrived 6', 'arrived 7']);
  });

  const byTime = (a: string, b: string): number => Number(a.split(' ')[1]) - Number(b.split(' ')[1]);
});

describe('a fleet with lost events', () => {
  const requests = Array.from({ length: 100 }, (_, i) => sharing(i % 4, 1600, 150 * i));
  const run = (lostEventShare: number, resyncMs = 1000) =>
    runTwin({ requests, engines: engines(4), policy: 'token-load', seed: 1, lostEventShare, resyncMs });

  it('finds less of what is cached, the more the longer a gap stays', () => {
    const share = (lost: number, resyncMs?: number): number => run(lost, resyncMs).cachedTokenShare;
    expect(share(0.3)).toBeLessThan(share(0));
    expect(share(0.3, 10)).toBeGreaterThan(share(1) + 0.03);
    expect(share(1)).toBeLessThan(share(0) - 0.05);
  });

  it('still serves everything, and the same for the same seed', () => {
    const result = run(0.3);
    expect(result.failed).toBe(0);
    expect(run(0.3)).toEqual(result);
  });
});
