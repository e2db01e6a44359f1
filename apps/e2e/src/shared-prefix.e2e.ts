import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { post, type Sim, Sluice, syntheticText, waitFor } from '@sluice/testkit';
import { chatUrl, env, MODEL, poolOf, startSims, stopSims } from './setup.ts';

const GROUPS = 8;
const SYSTEM_TOKENS = 2000;

interface Candidate {
  readonly worker: string;
  readonly up: boolean;
  readonly cachedTokens: number;
  readonly predictedTtftMs: number;
  readonly queuedPrefillTokens: number;
  readonly cost: number;
}
interface Decision {
  readonly worker: string;
  readonly policy: string;
  readonly candidates: readonly Candidate[];
}

describe('shared system prompts in standalone', () => {
  let sims: Sim[] = [];
  let sluice: Sluice;
  const systemPrompts = Array.from({ length: GROUPS }, (_, group) => syntheticText(1000 + group, SYSTEM_TOKENS));

  beforeAll(async () => {
    sims = await startSims(4, { profile: 'llama-3.1-8b-h100' });
    sluice = await Sluice.start({ pools: [poolOf(sims)], services: false, env });
  }, 120_000);

  afterAll(async () => {
    await sluice?.stop();
    await stopSims(sims);
  }, 60_000);

  /** Sends a request of a group and returns its decision. */
  async function ask(group: number, question: string, maxTokens = 4): Promise<Decision & { cached: number }> {
    const answer = await post(chatUrl(sluice), {
      model: MODEL,
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: maxTokens,
      messages: [
        { role: 'system', content: systemPrompts[group]! },
        { role: 'user', content: question },
      ],
    });
    expect(answer.complete).toBe(true);
    const decision = await sluice.getAdmin<Decision>(
      'router',
      `/decisions/${answer.headers.get('x-sluice-decision-id')}`,
    );
    expect(decision.worker).toBe(answer.headers.get('x-sluice-worker'));
    return { ...decision, cached: answer.usage?.prompt_tokens_details?.cached_tokens ?? 0 };
  }

  it('a request goes to the one idle worker that has its prefix, for every group', async () => {
    const home = new Map<number, string>();
    for (let group = 0; group < GROUPS; group++)
      home.set(group, (await ask(group, `first question of group ${group}`)).worker);
    // Cold prefixes do not herd on one worker. Where each goes is a tie among idle workers, broken at random: all eight on one
    // would be a chance of 1 in 16,384.
    expect(new Set(home.values()).size).toBeGreaterThan(1);
    for (let group = 0; group < GROUPS; group++) {
      const decision = await ask(group, `another question of group ${group}`);
      const holders = decision.candidates.filter((c) => c.cachedTokens > SYSTEM_TOKENS * 0.8).map((c) => c.worker);
      expect(holders).toEqual([home.get(group)]);
      expect(decision.worker).toBe(home.get(group));
      expect(decision.cached).toBeGreaterThan(SYSTEM_TOKENS * 0.8);
    }
  });

  it('and goes elsewhere when that worker is loaded past the point where recomputing is faster', async () => {
    const home = (await ask(0, 'where is it?')).worker;
    // A burst of long questions of one group: each books its uncached tokens on its worker before the next is decided.
    const burst = await Promise.all(Array.from({ length: 24 }, (_, i) => ask(0, syntheticText(5000 + i, 3000), 2)));
    const at = (decision: Decision, worker: string): Candidate => decision.candidates.find((c) => c.worker === worker)!;
    const stayed = burst.filter((decision) => decision.worker === home);
    const moved = burst.filter(
      (decision) => decision.worker !== home && at(decision, decision.worker).cachedTokens < SYSTEM_TOKENS * 0.5,
    );
    console.log(
      `burst of ${burst.length}: ${stayed.length} stayed with the prefix, ${moved.length} recomputed it elsewhere`,
    );
    expect(stayed.length).toBeGreaterThan(0);
    expect(moved.length).toBeGreaterThan(0);
    for (const decision of moved) {
      const there = at(decision, home);
      const chosen = at(decision, decision.worker);
      expect(there.cachedTokens).toBeGreaterThan(SYSTEM_TOKENS * 0.8);
      expect(there.queuedPrefillTokens).toBeGreaterThan(0);
      expect(chosen.predictedTtftMs).toBeLessThan(there.predictedTtftMs);
      expect(chosen.cost).toBeLessThan(there.cost);
    }
  });

  it('everything is released afterwards', async () => {
    await waitFor('ledger back to zero', 5000, async () => {
      const { workers } = await sluice.getAdmin<{
        workers: { inflightRequests: number; queuedPrefillTokens: number }[];
      }>('router', '/workers');
      return (
        workers.length === 4 &&
        workers.every((worker) => worker.inflightRequests === 0 && worker.queuedPrefillTokens === 0)
      );
    });
  });
});
