import { describe, expect, it } from '@jest/globals';
import { PROFILES } from '@sluice/engine-model';
import { POLICY_IDS } from '@sluice/routing';
import fc from 'fast-check';
import type { SimulatedRequest, TwinOptions, TwinResult } from '../api.ts';
import { runTwin } from '../twin.ts';

const profile = PROFILES['llama-3.1-8b-h100'];

/** Conversations and forks of few texts, as fast as a small KV cache can hardly hold them. */
const workload = fc
  .array(
    fc.record({
      gapMs: fc.constantFrom(0, 5, 40, 400),
      blocks: fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 9 }),
      promptTokens: fc.integer({ min: 1, max: 700 }),
      outputTokens: fc.integer({ min: 1, max: 60 }),
      session: fc.option(fc.nat(4)),
    }),
    { minLength: 5, maxLength: 60 },
  )
  .map((shapes) => {
    let arrivalMs = 0;
    return shapes.map(({ gapMs, ...rest }): SimulatedRequest => {
      arrivalMs += gapMs;
      return { arrivalMs, blockTokens: 72, ...rest };
    });
  });

const PREFIX_AWARE = POLICY_IDS.filter((id) => !['round-robin', 'random', 'least-request'].includes(id));

const optionsOf = (blockSizes: readonly number[]): fc.Arbitrary<TwinOptions> =>
  fc.record({
    requests: workload,
    engines: fc.array(
      fc.record({
        profile: fc.constant(profile),
        kvTokens: fc.constantFrom(1600, 3200),
        blockSize: fc.constantFrom(...blockSizes),
        slowdown: fc.constantFrom(1, 2.5),
      }),
      { minLength: 2, maxLength: 5 },
    ),
    policy: fc.constantFrom(...PREFIX_AWARE),
    seed: fc.nat(100),
    eventLagMs: fc.constantFrom(0, 10, 2000),
    latency: fc.constantFrom('exact' as const, 'learned' as const),
  });

interface Run {
  readonly decisions: readonly number[];
  readonly result: TwinResult;
}

function run(options: TwinOptions, index: 'exact' | 'production'): Run {
  const decisions: number[] = [];
  const result = runTwin({ ...options, index, onDecision: (_index, row) => decisions.push(row) });
  return { decisions, result };
}

describe('the exact index', () => {
  it('leads to every decision of the production index, blocks of 16 tokens', () => {
    fc.assert(
      fc.property(optionsOf([16]), (options) => {
        expect(run(options, 'exact')).toEqual(run(options, 'production'));
      }),
      { seed: 20261125, numRuns: 150 },
    );
  });

  it('leads to nearly every one with blocks of other sizes, see README.md', () => {
    let [equal, all] = [0, 0];
    for (const options of fc.sample(optionsOf([32, 64]), { seed: 20261125, numRuns: 60 })) {
      const [exact, production] = [run(options, 'exact').decisions, run(options, 'production').decisions];
      all += exact.length;
      equal += exact.filter((row, request) => row === production[request]).length;
    }
    expect(all).toBeGreaterThan(500);
    expect(equal / all).toBeGreaterThan(0.95);
  });
});
