import { describe, expect, it } from '@jest/globals';
import type { DecisionCandidate, DecisionOutcome, DecisionRecord } from '@sluice/contracts';
import { seededRng } from '@sluice/numerics';
import { candidate, decision } from '../testing/decisions.ts';
import { partsOfTtft, timeLines } from './where-time-went.ts';

const slow = (outcome: Partial<DecisionOutcome>, chosen: Partial<DecisionCandidate> = {}): DecisionRecord =>
  decision({
    promptTokens: 2000,
    candidates: [candidate('w1', 100, { predictedTtftMs: 100, cachedTokens: 1000, queuedPrefillTokens: 0, ...chosen })],
    outcome: { ...decision().outcome!, ttftMs: 100, heldMs: 0, queuedMs: 0, ...outcome },
  });
const partsOf = (of: DecisionRecord): Record<string, number> =>
  Object.fromEntries(partsOfTtft(of, of.outcome!).map(({ name, ms }) => [name.replace(/ of it.*/, ''), ms]));
const meaningOf = (of: DecisionRecord): string => timeLines(of, 500).at(-1)!;

describe('where the time to the first token went', () => {
  it('tells waiting, work ahead, the own prompt and what was not foreseen apart', () => {
    expect(meaningOf(slow({ heldMs: 500, queuedMs: 501 }))).toMatch(/^Most of it, held in the router: w1 had no room/);
    const before = slow({ heldMs: 1, queuedMs: 501 });
    expect(meaningOf(before)).toMatch(/^Most of it, before the decision: the router was busy/);
    expect(meaningOf({ ...before, retryOf: 'ab-1' })).toMatch(/^Most of it, earlier attempts: other workers failed/);
    expect(meaningOf({ ...before, movedFrom: 'ab-1' })).toMatch(/^Most of it, held for another worker: it waited in/);
    expect(meaningOf(slow({}, { queuedPrefillTokens: 9000 }))).toMatch(
      /^Most of it, work ahead of it on w1: 9,000 prompt tokens of others/,
    );
    expect(meaningOf(slow({}))).toMatch(/^Most of it, its own prompt: 1,000 of its tokens were not cached/);
    expect(meaningOf(slow({ ttftMs: 900 }))).toMatch(/^Most of it, not foreseen: w1 took longer/);
  });

  it('says of its own prompt whether any worker had more of it', () => {
    const meaning = (cachedTokens: number, others: DecisionCandidate[]): string => {
      const of = slow({}, { cachedTokens });
      return meaningOf({ ...of, candidates: [...of.candidates, ...others] }).replace(
        'Most of it, its own prompt: ',
        '',
      );
    };
    const none = candidate('w2', 90, { cachedTokens: 0 });
    expect(meaning(0, [none])).toBe('it was cached nowhere, so all of its 2,000 tokens were to be computed.');
    expect(meaning(0, [candidate('w2', 90, { cachedTokens: null })])).toContain('cached nowhere');
    expect(meaning(1000, [none])).toBe('1,000 of its tokens were not cached there, and no worker had more of them.');
    const dearer = candidate('w3', 120, { cachedTokens: 1600 });
    expect(meaning(0, [none, dearer])).toMatch(/were not cached there; where more were, it would have cost more\.$/);
    const tied = candidate('w4', 99, { cachedTokens: 1600 });
    const down = candidate('w5', null, { cachedTokens: 1600, up: false });
    for (const other of [tied, down]) expect(meaning(0, [dearer, other])).toMatch(/; the marks above say why/);
  });

  it('does not count work ahead twice that was done while the router held the request', () => {
    const parts = partsOf(slow({ heldMs: 60, queuedMs: 60, ttftMs: 40 }, { queuedPrefillTokens: 3000 }));
    expect(parts).toMatchObject({ 'held in the router': 60, 'work ahead': 15, 'its own prompt': 25 });
    expect(parts['not foreseen']).toBeCloseTo(0, 9);
  });

  it('adds up to what the client waited, whatever was predicted, and only the unforeseen may be negative', () => {
    const rng = seededRng(5);
    for (let i = 0; i < 500; i++) {
      const heldMs = rng() < 0.5 ? 0 : rng() * 300;
      const queuedMs = heldMs + rng() * 50;
      const chosen = {
        predictedTtftMs: rng() * 400,
        cachedTokens: Math.floor(rng() * 2001),
        queuedPrefillTokens: rng() < 0.3 ? 0 : Math.floor(rng() * 9000),
      };
      const ttftMs = rng() * 600;
      const parts = Object.entries(partsOf(slow({ heldMs, queuedMs, ttftMs }, chosen)));
      expect(parts.reduce((sum, [, ms]) => sum + ms, 0)).toBeCloseTo(queuedMs + ttftMs, 6);
      for (const [name, ms] of parts) if (name !== 'not foreseen') expect(ms).toBeGreaterThanOrEqual(0);
    }
  });

  it('has nothing to say where no first token was seen, or none predicted', () => {
    expect(timeLines(slow({ ttftMs: null }), 80)).toEqual([]);
    expect(timeLines(slow({}, { predictedTtftMs: null }), 80)).toEqual([]);
    expect(timeLines(decision({ outcome: null }), 80)).toEqual([]);
  });

  it('draws the parts', () => {
    expect(timeLines(slow({ heldMs: 60, queuedMs: 70, ttftMs: 40 }, { queuedPrefillTokens: 3000 }), 80)).toEqual([
      'before the decision     10.0  █████',
      'held in the router      60.0  ██████████████████████████████',
      'work ahead of it on w1  15.0  ████████',
      'its own prompt          25.0  █████████████',
      "Most of it, held in the router: w1 had no room for it, or the turn was others':",
      '  too little capacity, or a tenant that floods.',
    ]);
  });
});
