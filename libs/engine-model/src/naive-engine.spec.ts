import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createEngine } from './engine.ts';
import type { Engine } from './engine-api.ts';
import type { KvEvent } from './kv-event.ts';
import { PROFILES } from './profiles.ts';
import { NaiveEngine } from './testing/naive-engine.ts';
import { requestsOf, scenario } from './testing/scenario.ts';
import type { ScenarioRequest } from './testing/scenario.ts';

const profile = PROFILES['llama-3.1-8b-h100'];

/** Changes of the cache as the naive engine tells them; `names` learns the text of each hash from its announcement. */
function changesOf(events: readonly KvEvent[], names: Map<bigint, string>): string[] {
  return events.flatMap((event) => {
    if (event.kind === 'cleared') return ['cleared'];
    if (event.kind === 'removed') return Array.from(event.hashes, (hash) => `-${names.get(hash)}`);
    let prefix = event.parent === null ? `${event.cacheSalt}|` : `${names.get(event.parent)},`;
    return Array.from(event.hashes, (hash, i) => {
      const own = event.tokenIds.subarray(i * event.blockSize, (i + 1) * event.blockSize).join();
      names.set(hash, prefix + own);
      prefix = `${prefix}${own},`;
      return `+${names.get(hash)}`;
    });
  });
}

/** What some clients say next: an earlier prompt and the start of its answer. Such a prompt may wait while that answer is written. */
function withFollowUps(requests: ScenarioRequest[], follows: readonly boolean[]): ScenarioRequest[] {
  return requests.map((request, i) => {
    const earlier = requests[i - 1];
    if (earlier === undefined || follows[i] !== true) return request;
    const answer = Array.from({ length: 20 }, (_, index) => earlier.nextToken(index));
    return { ...request, promptTokens: Uint32Array.from([...earlier.promptTokens, ...answer]).slice(0, 20) };
  });
}

const stepOf = (engine: Engine<ScenarioRequest>, nowMs: number, names: Map<bigint, string>) => {
  const step = engine.step(nowMs);
  return (
    step && {
      durationMs: step.durationMs,
      batchTokens: step.batchTokens,
      sampled: step.requests.map((request, i) => [request, step.tokens[i]!]),
      changes: changesOf(step.events, names),
    }
  );
};

describe('an engine', () => {
  it('takes the steps of the naive engine: tokens, times, evictions and stores in order', () => {
    let blockedSteps = 0;
    fc.assert(
      fc.property(scenario, fc.array(fc.boolean(), { maxLength: 25 }), (spec, follows) => {
        const engine = createEngine<ScenarioRequest>({ profile, ...spec });
        const naive = new NaiveEngine<ScenarioRequest>(profile, spec);
        const names = new Map<bigint, string>();
        const requests = withFollowUps(requestsOf(spec), follows);
        let nowMs = 0;
        for (let next = 0; ;) {
          for (; next < requests.length && requests[next]!.arrivalMs <= nowMs; next++) {
            engine.submit(requests[next]!, nowMs);
            naive.submit(requests[next]!);
          }
          const step = stepOf(engine, nowMs, names);
          expect(step).toEqual(naive.step());
          if (naive.waiting.length > 0) blockedSteps++;
          if (step === null) {
            if (next === requests.length) return;
            nowMs = requests[next]!.arrivalMs;
            continue;
          }
          nowMs += step.durationMs;
          for (const [request] of step.sampled as [ScenarioRequest, number][]) {
            request.outputs.push(0);
            if (request.outputs.length !== request.abortAfter) continue;
            engine.abort(request);
            naive.abort(request);
          }
        }
      }),
      { seed: 20261125, numRuns: 400 },
    );
    expect(blockedSteps).toBeGreaterThan(1000);
  });
});
