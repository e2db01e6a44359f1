import { describe, expect, it } from '@jest/globals';
import type { SimulatedRequest } from '../api.ts';
import { CHAT, chatWorkload, CODING_AGENT, codingAgentWorkload } from './conversation.ts';

const SCHEDULE = { qps: 10, seed: 3, warmUpS: 500, measuredS: 1000 };

function bySession(requests: readonly SimulatedRequest[]): SimulatedRequest[][] {
  const sessions = new Map<number, SimulatedRequest[]>();
  for (const request of requests) {
    const own = sessions.get(request.session!);
    if (own === undefined) sessions.set(request.session!, [request]);
    else own.push(request);
  }
  return [...sessions.values()];
}

describe.each([
  ['chat', chatWorkload(SCHEDULE), CHAT],
  ['coding agent', codingAgentWorkload(SCHEDULE), CODING_AGENT],
])('%s', (_, requests, shape) => {
  const sessions = bySession(requests);

  it('comes in order, at about the rate that was asked for', () => {
    expect(requests.every(({ arrivalMs }, i) => i === 0 || arrivalMs >= requests[i - 1]!.arrivalMs)).toBe(true);
    const late = requests.filter(({ arrivalMs }) => arrivalMs > 500_000).length;
    // prompts that grow too long end a session early
    expect(late / 10_000).toBeGreaterThan(0.7);
    expect(late / 10_000).toBeLessThan(1.1);
  });

  it('asks again with everything that was there before, and more', () => {
    for (const turns of sessions.slice(0, 100)) {
      for (const [k, turn] of turns.slice(1).entries()) {
        const before = turns[k]!;
        expect(turn.blocks.slice(0, before.blocks.length)).toEqual(before.blocks);
        expect(turn.promptTokens).toBeGreaterThanOrEqual(before.promptTokens + before.outputTokens);
        expect(turn.arrivalMs - before.arrivalMs).toBeGreaterThanOrEqual(30 * before.outputTokens);
      }
    }
  });

  it('shares openings between sessions and nothing else', () => {
    const openings = new Set(requests.map(({ blocks }) => blocks[0]));
    expect(openings.size).toBe(shape.openings);
    const firsts = sessions.map(([first]) => first!.blocks.at(Math.floor(shape.openingTokens / shape.blockTokens)));
    const own = firsts.filter((id) => id !== undefined);
    expect(new Set(own).size).toBe(own.length);
  });

  it('stays within the longest prompt', () => {
    const later = sessions.flatMap((turns) => turns.slice(1).map(({ promptTokens }) => promptTokens));
    expect(Math.max(...later)).toBeLessThanOrEqual(shape.mostPromptTokens);
  });
});

describe('coding agents', () => {
  it('have prompts far longer than answers, nearly all of it known a turn ago', () => {
    const sessions = bySession(codingAgentWorkload(SCHEDULE));
    const later = sessions.flatMap((turns) => turns.slice(1).map((turn, k) => [turn, turns[k]!] as const));
    const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;
    expect(median(later.map(([turn]) => turn.promptTokens / turn.outputTokens))).toBeGreaterThan(80);
    expect(median(later.map(([turn, before]) => before.promptTokens / turn.promptTokens))).toBeGreaterThan(0.9);
  });
});
