import { describe, expect, it } from '@jest/globals';
import type { SeenWorker } from './fleet-of-routers.ts';
import { fleetOfRouters } from './fleet-of-routers.ts';

const seen = (rest: Partial<SeenWorker>): SeenWorker =>
  ({
    ...{ worker: 'w', pool: 'p', state: 'up', up: true, reason: '', prefixes: 'live', signalAgeMs: 100 },
    ...{ blockTokens: 16, inflightRequests: 0, siblingRequests: 0, queuedPrefillTokens: 0 },
    ...{ siblingQueuedPrefillTokens: 0, index: null },
    ...rest,
  }) as SeenWorker;
const union = (...told: SeenWorker[]) =>
  fleetOfRouters(told.map((worker, i) => ({ router: `router-${i}`, answer: [worker] })))[0]!;

describe('a worker of several routers', () => {
  it('has what is in flight once, whether routers hear each other or not', () => {
    for (let i = 0; i < 4 ** 4; i++) {
      const [stranger, ...own] = [i % 4, (i >> 2) % 4, (i >> 4) % 4, i >> 6] as [number, number, number, number];
      const all = own[0]! + own[1]! + own[2]! + stranger;
      const shared = own.map((mine) =>
        seen({
          ...{ inflightRequests: all, siblingRequests: all - mine },
          ...{ queuedPrefillTokens: 10 * all, siblingQueuedPrefillTokens: 10 * (all - mine) },
        }),
      );
      expect(union(...shared)).toMatchObject({
        ...{ inflightRequests: all, siblingRequests: stranger },
        ...{ queuedPrefillTokens: 10 * all, siblingQueuedPrefillTokens: 10 * stranger },
      });
      const apart = own.map((mine) => seen({ inflightRequests: mine }));
      expect(union(...apart)).toMatchObject({ inflightRequests: all - stranger, siblingRequests: 0 });
    }
  });

  it('is up where all reach it, and as old as what the last of them read', () => {
    expect(union(seen({}), seen({ signalAgeMs: 300 }))).toMatchObject({ state: 'up', up: true, signalAgeMs: 300 });
    const down = seen({ up: false, state: 'down', reason: 'refused', signalAgeMs: null, blockTokens: null });
    expect(union(down, seen({}))).toMatchObject({
      ...{ state: 'differs', up: false, reason: 'refused', signalAgeMs: null, blockTokens: 16 },
    });
    expect(union(down, down)).toMatchObject({ state: 'down', blockTokens: null });
  });

  it('is known as far as the one knows that knows least', () => {
    const index = (confidence: 'live' | 'none', blocks: number) => ({ confidence, blocks }) as SeenWorker['index'];
    const told = [
      seen({ prefixes: 'approximate', index: index('live', 7) }),
      seen({ prefixes: 'live', index: index('none', 3) }),
    ];
    expect(union(...told)).toMatchObject({ prefixes: 'approximate', index: { confidence: 'none', blocks: 7 } });
    expect(union(seen({}), told[0]!).index).toEqual({ confidence: 'live', blocks: 7 });
  });
});
