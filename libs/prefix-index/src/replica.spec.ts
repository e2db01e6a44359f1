import { beforeEach, describe, expect, it } from '@jest/globals';
import { workerId } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createMatches } from './matches.ts';
import { createPrefixIndex } from './prefix-index.ts';
import { createReplica } from './replica.ts';
import type { Replica } from './replica.ts';
import { EventSource, jsonCodec } from './testing/event-source.ts';
import { chainOf, randomBytes, testRoot } from './testing/prompts.ts';
import type { PrefixIndex } from './types.ts';

const W = workerId('w');
const ROOT = testRoot();
const prompt = randomBytes(seededRng(3), 640);
const chain = chainOf(ROOT, prompt, [64]);

describe('replica', () => {
  let index: PrefixIndex;
  let replica: Replica;
  let source: EventSource;
  let journal: string[];
  beforeEach(() => {
    index = createPrefixIndex();
    journal = [];
    replica = createReplica({
      index,
      codec: jsonCodec,
      journal: {
        changed: (id, hi, lo) => journal.push(`${id} ${hi}:${lo}`),
        cleared: (id) => journal.push(`${id} cleared`),
      },
      maxBufferedBytes: 4000,
    });
    replica.addWorker(W);
    source = new EventSource();
  });
  const apply = (bytes: Uint8Array, nowMs = 0): string => replica.apply(W, bytes, nowMs);
  const tokens = (): number => {
    const out = createMatches(1);
    index.match(...ROOT, prompt, 4, 0, out);
    return out.confirmedTokens[0]!;
  };

  it('follows batches from the one that opens an epoch', () => {
    const [begin] = source.begin();
    const first = source.store(chain.slice(0, 2));
    expect([apply(first), apply(begin!), apply(first, 7), apply(source.store(chain.slice(2, 4)), 9)]).toEqual([
      'ignored',
      'applied',
      'applied',
      'applied',
    ]);
    expect([tokens(), replica.confidence(W), replica.position(W), replica.appliedAtMs(W)]).toEqual([
      64,
      'live',
      { epoch: 1, seq: 2 },
      9,
    ]);
    expect(journal[0]).toBe('w cleared');
    expect(journal).toHaveLength(5);
    expect(apply(source.clear())).toBe('applied');
    expect([tokens(), journal.at(-1)]).toEqual([0, 'w cleared']);
  });

  it('ignores what it knows and what is older', () => {
    const old = source.begin()[0]!;
    const begin = source.begin()[0]!;
    const stored = source.store(chain);
    for (const bytes of [begin, stored]) apply(bytes);
    expect([old, begin, stored].map((bytes) => apply(bytes))).toEqual(['stale', 'stale', 'stale']);
    expect(tokens()).toBe(160);
    expect(replica.apply(workerId('other'), begin, 0)).toBe('unknown-worker');
  });

  it('drops the worker on a gap, keeps routed prompts, and believes nothing until the next epoch', () => {
    apply(source.begin()[0]!);
    apply(source.store(chain.slice(0, 4)));
    index.speculate(0, ...ROOT, prompt, 0, 1000);
    source.store(chain.slice(4, 5));
    expect([apply(source.store(chain.slice(5))), tokens(), replica.confidence(W)]).toEqual(['gap', 0, 'none']);
    expect(index.stats().speculative).toBeGreaterThan(0);
    expect(apply(source.remove(chain.slice(9)))).toBe('ignored');
    for (const bytes of source.begin(3)) expect(apply(bytes)).toBe('applied');
    expect([tokens(), replica.confidence(W)]).toEqual([144, 'live']);
    source.begin();
    expect(apply(source.store(chain.slice(9)))).toBe('gap'); // its opening batch was lost
    expect(tokens()).toBe(0);
  });

  it('takes malformed bytes for a lost batch', () => {
    apply(source.begin()[0]!);
    apply(source.store(chain));
    expect([apply(new Uint8Array([1, 2])), tokens(), replica.confidence(W)]).toEqual(['malformed', 0, 'none']);
  });

  it('says when history is incomplete, until the next complete epoch', () => {
    apply(source.begin(1, true)[0]!);
    apply(source.store(chain));
    expect([replica.confidence(W), tokens()]).toEqual(['incomplete', 160]);
    apply(source.begin()[0]!);
    expect(replica.confidence(W)).toBe('live');
  });

  it('goes on from a snapshot with the batches that arrived meanwhile', () => {
    source.begin();
    source.store(chain.slice(0, 6));
    replica.beginSnapshot(W);
    const pages = [source.page(0, 4), source.page(4)];
    const later = source.store(chain.slice(6, 8));
    expect(apply(later)).toBe('buffered');
    expect(replica.applySnapshotPage(W, pages[0]!, 1)).toBe('partial');
    expect(apply(source.remove(chain.slice(7, 8)))).toBe('buffered');
    expect([replica.applySnapshotPage(W, pages[1]!, 2), tokens()]).toEqual(['complete', 112]);
    expect([replica.confidence(W), replica.position(W)]).toEqual(['live', { epoch: 1, seq: 3 }]);
    expect(apply(later)).toBe('stale');
    expect(replica.applySnapshotPage(W, pages[1]!, 2)).toBe('refused');
  });

  it('lets an opening batch overtake a snapshot', () => {
    source.begin();
    source.store(chain.slice(0, 6));
    const pages = [source.page(0, 3), source.page(3)];
    replica.beginSnapshot(W);
    replica.applySnapshotPage(W, pages[0]!, 0);
    expect(apply(source.restart()[0]!)).toBe('applied');
    expect([replica.applySnapshotPage(W, pages[1]!, 0), tokens(), replica.confidence(W)]).toEqual([
      'refused',
      0,
      'live',
    ]);
  });

  it('refuses a snapshot that is torn, malformed or older than what was believed', () => {
    apply(source.begin()[0]!);
    apply(source.store(chain.slice(0, 6)));
    const old = source.page();
    apply(source.store(chain.slice(6, 7)));
    replica.distrust(W);
    replica.beginSnapshot(W);
    expect([replica.applySnapshotPage(W, old, 0), tokens()]).toEqual(['refused', 0]);
    replica.beginSnapshot(W);
    expect(replica.applySnapshotPage(W, source.page(0, 2), 0)).toBe('partial');
    source.store(chain.slice(7, 8));
    expect([replica.applySnapshotPage(W, source.page(2), 0), tokens()]).toEqual(['refused', 0]);
    replica.beginSnapshot(W);
    const malformed = { ...source.page(), batch: new Uint8Array([9]) };
    expect([replica.applySnapshotPage(W, malformed, 0), replica.confidence(W)]).toEqual(['refused', 'none']);
  });

  it('bounds what waits for a snapshot', () => {
    source.begin();
    replica.beginSnapshot(W);
    let outcome = '';
    for (let i = 0; i < 20 && outcome !== 'gap'; i++) outcome = apply(source.store(chain));
    expect(outcome).toBe('gap');
    expect(replica.applySnapshotPage(W, source.page(), 0)).toBe('refused');
  });
});
