import { describe, expect, it } from '@jest/globals';
import { ladderLoad, LADDERS } from './ladder.ts';

describe('ladderLoad', () => {
  const b2b = ladderLoad(LADDERS.b2b, 1);

  it('sends rate x duration requests a stage: 17,084 on the B2B ladder', () => {
    expect(b2b.requests).toHaveLength(17_084);
    const counts = new Map<number, number>();
    for (const stage of b2b.stageOf) counts.set(stage, (counts.get(stage) ?? 0) + 1);
    expect([...counts.entries()].slice(0, 4)).toEqual([
      [-1, 750],
      [0, 60],
      [1, 200],
      [2, 300],
    ]);
    expect(counts.get(15)).toBe(60 * 25);
    expect(b2b.stages).toHaveLength(16);
    expect(b2b.stages[0]).toEqual({ firstRequest: 750, pauseMs: 30_000 });
  });

  it('cycles the same shuffled prompts from the first one in every stage', () => {
    const starts = b2b.stages.map(({ firstRequest }) => firstRequest);
    for (const start of starts) {
      expect(b2b.requests[start]).toMatchObject({ arrivalMs: 0, blocks: b2b.requests[0]!.blocks });
      expect(b2b.requests[start + 7]!.blocks).toEqual(b2b.requests[7]!.blocks);
    }
    const sessions = b2b.requests.slice(0, 750).map(({ session }) => session);
    expect(new Set(sessions).size).toBe(750);
    expect(sessions).not.toEqual([...sessions].sort((a, b) => a! - b!));
    const groups = new Set(b2b.requests.map(({ blocks }) => blocks[0]));
    expect(groups.size).toBe(150);
    expect(b2b.requests[0]).toMatchObject({ promptTokens: 7200, outputTokens: 1000 });
  });

  it('is Poisson at the rate of the stage, or evenly spaced where it was published so', () => {
    const last = b2b.requests.at(-1)!;
    expect(last.arrivalMs / 25_000).toBeCloseTo(1, 0);
    const llama = ladderLoad(LADDERS['llama-70b'], 1);
    const start = llama.stages[0]!.firstRequest;
    expect(llama.requests.slice(start, start + 3).map(({ arrivalMs }) => Math.round(arrivalMs))).toEqual([0, 333, 667]);
    expect(llama.requests[0]!.promptTokens).toBe(9000);
  });

  it('starts measuring at once where no warm-up was published', () => {
    const tiered = ladderLoad(LADDERS.tiered, 1);
    expect(tiered.requests).toHaveLength(60 * (5 + 10 + 20 + 40));
    expect(tiered.stageOf[0]).toBe(0);
    expect(tiered.stages).toHaveLength(3);
  });
});
