import { describe, expect, it } from '@jest/globals';
import { EngineCore, PROFILES } from '@sluice/engine-model';
import type { CoreRequest } from '@sluice/engine-model';
import { workerId } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createFleetTable } from '@sluice/routing';
import { createPrefixView, textFormOf, toldBlocksOf } from '../prefix/create-prefix-view.ts';
import type { IndexKind } from '../prefix/create-prefix-view.ts';
import { EventStream } from './event-stream.ts';
import { KvBatchWriter, NO_CHANGES } from './kv-batch.ts';
import type { KvBatch } from './kv-batch.ts';
import { KvHoldings } from './kv-holdings.ts';
import type { PrefixView } from '../prefix/prefix-view.ts';
import { RequestText } from '../text/request-text.ts';
import { engines, sharing } from '../testing/requests.ts';
import { createTimeline } from '../clock/timeline.ts';
import { runTwin } from '../twin.ts';

const BLOCK_SIZE = 16;

/** Prompts of few texts through a small engine: its events, step by step. */
function eventsOfAnEngine(
  kind: IndexKind,
  seed: number,
): { readonly batches: KvBatch[]; readonly prompts: RequestText[] } {
  const rng = seededRng(seed);
  const profile = PROFILES['llama-3.1-8b-h100'];
  const changes = new KvBatchWriter(toldBlocksOf(kind));
  const engine = new EngineCore({ profile, blockSize: BLOCK_SIZE, kvBlocks: 40 }, changes);
  const prompts = Array.from({ length: 40 }, (_, index) => {
    const blocks = Array.from({ length: 10 }, (_, place) => (place < 4 ? 1 : Math.floor(rng() * 2)));
    const promptTokens = 20 + Math.floor(rng() * 150);
    const request = { arrivalMs: 0, blocks, blockTokens: 16, promptTokens, outputTokens: 20, session: null };
    return new RequestText(request, index, textFormOf(kind));
  });
  const batches: KvBatch[] = [];
  let nowMs = 0;
  for (const prompt of prompts) {
    const request: CoreRequest = {
      promptTokens: prompt.promptTokens,
      maxTokens: 20,
      blockKeys: (count) => prompt.chainOf(BLOCK_SIZE).keys(count),
    };
    engine.submit(request, nowMs);
    for (let k = 0; k < 8; k++) {
      const step = engine.step(nowMs);
      if (step === null) break;
      nowMs += step.durationMs;
      batches.push(changes.take() ?? NO_CHANGES);
    }
  }
  return { batches, prompts };
}

const cachedIn = (view: PrefixView, prompts: readonly RequestText[]): number[] => {
  const table = createFleetTable();
  table.addWorker(workerId('engine-0'), PROFILES['llama-3.1-8b-h100'].step);
  return prompts.map((prompt) => {
    view.fillCachedTokens(table.columns, prompt, 0);
    return table.columns.cachedTokens[0]!;
  });
};

describe('KvHoldings', () => {
  it.each([
    ['exact', 1],
    ['exact', 2],
    ['production', 1],
    ['production', 3],
  ] as const)('announces what whoever heard everything knows, and goes on from there (%s, %s)', (kind, seed) => {
    const { batches, prompts } = eventsOfAnEngine(kind, seed);
    const view = (): PrefixView => createPrefixView(kind, [{ id: workerId('engine-0'), blockSize: BLOCK_SIZE }]);
    const holdings = new KvHoldings();
    const [heardAll, resynced] = [view(), view()];
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
    const changes = new KvBatchWriter('all');
    const stored = (): void => changes.stored(null, Int32Array.of(1, 10, 2, 20), 0, 2);
    const batch = (): KvBatch => changes.take()!;
    stored();
    stored();
    for (const key of [1, 2, 2]) changes.removed(10 * key, key);
    holdings.apply(batch());
    changes.block(10, 1, 0, 0);
    expect(holdings.announce()).toEqual(batch());
    stored();
    holdings.apply(batch());
    changes.block(10, 1, 0, 0);
    changes.block(10, 1, 0, 0);
    changes.block(20, 2, 10, 1);
    expect(holdings.announce()).toEqual(batch());
    changes.cleared();
    holdings.apply(batch());
    expect(holdings.announce()).toEqual(NO_CHANGES);
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
        else stream.batch(0, NO_CHANGES, nowMs);
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
