import { describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import fc from 'fast-check';
import { createEngine } from './engine.ts';
import type { Engine, RequestProgress } from './engine-api.ts';
import { PROFILES } from './profiles.ts';
import { play, requestsOf, scenario } from './testing/scenario.ts';
import type { ScenarioRequest, ScenarioSpec } from './testing/scenario.ts';

const RUNS = { seed: 20261123, numRuns: 120 };
const engineOf = (spec: ScenarioSpec, jitterSeed?: number): Engine<ScenarioRequest> =>
  createEngine<ScenarioRequest>({
    profile: PROFILES['llama-3.1-8b-h100'],
    blockSize: spec.blockSize,
    kvBlocks: spec.kvBlocks,
    maxBatchTokens: spec.maxBatchTokens,
    maxSeqs: spec.maxSeqs,
    ...(jitterSeed === undefined ? {} : { jitter: { sigma: 0.1, rng: seededRng(jitterSeed) } }),
  });

/** Blocks held by hash, as the events tell it: hash -> copies. */
class Held {
  readonly copies = new Map<bigint, number>();

  get total(): number {
    return [...this.copies.values()].reduce((a, b) => a + b, 0);
  }

  change(hash: bigint, by: number): void {
    const copies = (this.copies.get(hash) ?? 0) + by;
    if (copies < 0) throw new Error(`${hash} removed more often than stored`);
    if (copies === 0) this.copies.delete(hash);
    else this.copies.set(hash, copies);
  }
}

describe('an engine under pressure', () => {
  it('finishes every request with exactly its tokens, or drops it when told to', () => {
    fc.assert(
      fc.property(scenario, (spec) => {
        const requests = requestsOf(spec);
        play(engineOf(spec), requests);
        for (const request of requests) {
          const stopAt = spec.requests[request.name]!.stopAt;
          const natural = Math.min(request.maxTokens, stopAt === null ? Infinity : stopAt + 1);
          const aborted = request.abortAfter !== null && request.abortAfter > 0 && request.abortAfter < natural;
          expect(request.finished).toBe(
            aborted ? 'aborted' : request.outputs.at(-1) === request.stopToken ? 'stop' : 'length',
          );
          const expected = Array.from({ length: aborted ? request.abortAfter : natural }, (_, i) =>
            request.nextToken(i),
          );
          expect(request.outputs).toEqual(expected);
        }
      }),
      RUNS,
    );
  });

  it('keeps to its budgets, moves time forward, and gives every block back', () => {
    fc.assert(
      fc.property(scenario, (spec) => {
        const engine = engineOf(spec);
        let lastEndMs = 0;
        play(engine, requestsOf(spec), (step) => {
          expect(step.batchTokens).toBeGreaterThan(0);
          expect(step.batchTokens).toBeLessThanOrEqual(spec.maxBatchTokens);
          expect(step.sequences).toBeLessThanOrEqual(spec.maxSeqs);
          expect(step.durationMs).toBeGreaterThan(0);
          expect(step.startMs).toBeGreaterThanOrEqual(lastEndMs);
          lastEndMs = step.startMs + step.durationMs;
          const { usedBlocks, totalBlocks, cachedBlocks, kvUsage } = engine.stats();
          expect(usedBlocks).toBeLessThanOrEqual(totalBlocks);
          expect(cachedBlocks).toBeLessThanOrEqual(totalBlocks);
          expect(kvUsage).toBeCloseTo(usedBlocks / (spec.kvBlocks - 1), 12);
        });
        const { usedBlocks, runningRequests, waitingRequests } = engine.stats();
        expect({ usedBlocks, runningRequests, waitingRequests }).toEqual({
          usedBlocks: 0,
          runningRequests: 0,
          waitingRequests: 0,
        });
      }),
      RUNS,
    );
  });

  it('says in its events exactly which blocks it holds, each below a parent that it once stored', () => {
    fc.assert(
      fc.property(scenario, (spec) => {
        const engine = engineOf(spec);
        const held = new Held();
        const ever = new Set<bigint>();
        play(engine, requestsOf(spec), (step) => {
          for (const event of step.events) {
            if (event.kind === 'stored') {
              expect(event.tokenIds.length).toBe(event.hashes.length * spec.blockSize);
              if (event.parent !== null) expect(held.copies.has(event.parent)).toBe(true);
              for (const hash of event.hashes) {
                held.change(hash, 1);
                ever.add(hash);
              }
            } else if (event.kind === 'removed') for (const hash of event.hashes) held.change(hash, -1);
          }
          expect(held.total).toBe(engine.stats().cachedBlocks);
        });
        expect(engine.resetPrefixCache()).toBe(true);
        expect(engine.stats().cachedBlocks).toBe(0);
      }),
      RUNS,
    );
  });

  it('never finds more of a prompt than was stored before, nor its last token', () => {
    fc.assert(
      fc.property(scenario, (spec) => {
        const engine = engineOf(spec);
        const stored = new Set<string>();
        const requests = requestsOf(spec);
        let nowMs = 0;
        for (const request of requests) {
          // one after another, so that what is stored before a request is known
          const submission = engine.submit(request, nowMs);
          if (submission.kind !== 'accepted') throw new Error('scenario requests fit');
          for (let result = engine.step(nowMs); result !== null; result = engine.step(nowMs)) {
            nowMs += result.durationMs;
          }
          const { cachedTokens } = submission.progress;
          expect(cachedTokens % spec.blockSize).toBe(0);
          expect(cachedTokens).toBeLessThan(request.promptTokens.length);
          const prefix = [...request.promptTokens.subarray(0, cachedTokens)].join();
          if (cachedTokens > 0) expect(stored).toContain(`${request.cacheSalt}|${prefix}`);
          const all = [...request.promptTokens, ...request.outputs];
          for (let end = spec.blockSize; end <= all.length; end += spec.blockSize) {
            stored.add(`${request.cacheSalt}|${all.slice(0, end).join()}`);
          }
        }
      }),
      RUNS,
    );
  });

  it('gives equal results for equal seeds, jitter included', () => {
    fc.assert(
      fc.property(scenario, fc.nat(), (spec, seed) => {
        const run = (): unknown => {
          const requests = requestsOf(spec);
          const steps = play(engineOf(spec, seed), requests);
          return { steps, outputs: requests.map(({ outputs }) => outputs) };
        };
        expect(run()).toEqual(run());
      }),
      { ...RUNS, numRuns: 40 },
    );
  });

  it('computes each token once but for those found and those preempted, and starts requests in their order', () => {
    fc.assert(
      fc.property(scenario, (spec) => {
        const engine = engineOf({ ...spec, kvBlocks: 2000 });
        const requests = requestsOf(spec).map((request) => ({ ...request, abortAfter: null }));
        const progress: RequestProgress[] = [];
        const submit = engine.submit.bind(engine);
        engine.submit = (request, nowMs) => {
          const submission = submit(request, nowMs);
          if (submission.kind === 'accepted') progress.push(submission.progress);
          return submission;
        };
        let computed = 0;
        play(engine, requests, ({ batchTokens }) => (computed += batchTokens));
        expect(engine.stats().preemptions).toBe(0);
        // the last output token of a request is sampled and never computed
        const expected = progress.map((each) => each.promptTokens - each.cachedTokens + each.outputTokens - 1);
        expect(computed).toBe(expected.reduce((a, b) => a + b, 0));
        expect(progress.map(({ outputTokens }) => outputTokens)).toEqual(requests.map(({ outputs }) => outputs.length));
        const startsMs = progress.map(({ scheduledMs }) => scheduledMs!);
        expect(startsMs).toEqual([...startsMs].sort((a, b) => a - b));
      }),
      RUNS,
    );
  });

  it('holds exactly the blocks of what is computed where nothing is shared', () => {
    let looks = 0;
    fc.assert(
      fc.property(scenario, (spec) => {
        // one step is enough for any prompt, so all that runs is computed but for its last token
        const engine = engineOf({ ...spec, maxBatchTokens: 1000 });
        const requests = requestsOf(spec).map((request) => ({ ...request, cacheSalt: `${request.name}` }));
        play(engine, requests, () => {
          const { usedBlocks, runningRequests, preemptions } = engine.stats();
          const open = requests.filter(({ outputs, finished }) => outputs.length > 0 && finished === null);
          const blocks = open.map(({ promptTokens, outputs }) =>
            Math.ceil((promptTokens.length + outputs.length - 1) / spec.blockSize),
          );
          const most = blocks.reduce((a, b) => a + b, 0);
          // one that was preempted waits, and one that ended in this step still holds its own
          if (preemptions > 0 || runningRequests !== open.length) return;
          expect(usedBlocks).toBe(most);
          looks++;
        });
        expect(engine.stats().usedBlocks).toBe(0);
      }),
      RUNS,
    );
    expect(looks).toBeGreaterThan(1000);
  });

  it('reaches preemption and eviction in these scenarios', () => {
    let preemptions = 0;
    let removals = 0;
    for (const spec of fc.sample(scenario, { seed: RUNS.seed, numRuns: 100 })) {
      const engine = engineOf(spec);
      for (const { events } of play(engine, requestsOf(spec))) {
        removals += events.filter(({ kind }) => kind === 'removed').length;
      }
      preemptions += engine.stats().preemptions;
    }
    expect(preemptions).toBeGreaterThan(20);
    expect(removals).toBeGreaterThan(100);
  });
});
