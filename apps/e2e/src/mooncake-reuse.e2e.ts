import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { seededRng } from '@sluice/numerics';
import {
  loadMooncakeConversation,
  MOONCAKE_BLOCK_TOKENS,
  type MooncakeRequest,
  post,
  type Sim,
  textOfBlocks,
} from '@sluice/testkit';
import { missingPrograms, MODEL, startSims, stopSims, sumMetric, tracesDir, withSystem } from './setup.ts';

// 200 requests are what a first look asks for, but they cannot tell policies apart by more than 1.38: nearly all of their
// reuse is the first block, which every request shares and every engine has. With 400 the conversations come back.
const REQUESTS = 400;
const FIRST = 200;
const SPEED = 3;
const ENGINES = 4;
const TICK_MS = 3000;
// 1,048,576 tokens an engine, the capacity of the published replays of this trace. With the 420,976 of one H100 and this model
// the engines forget before conversations come back, and no routing reuses more than 1.14 times what round-robin does.
const KV_BLOCKS = 65_536;

interface Arm {
  readonly cached: number;
  readonly cachedOfFirst: number;
  readonly prompt: number;
  readonly complete: number;
}

/** Tokens reused when request j goes to engine `assign(j)` and nothing is ever evicted: bounds what routing can do. */
function bound(requests: readonly MooncakeRequest[], assign: (j: number) => number): number {
  const held = new Map<number, Set<number>>();
  let reused = 0;
  requests.forEach((request, j) => {
    const engine = held.get(assign(j)) ?? new Set<number>();
    held.set(assign(j), engine);
    const shared = request.hashIds.findIndex((id) => !engine.has(id));
    reused += Math.min((shared < 0 ? request.hashIds.length : shared) * MOONCAKE_BLOCK_TOKENS, request.inputTokens);
    for (const id of request.hashIds) engine.add(id);
  });
  return reused;
}

/** Timestamps are quantised to 3 s: spreads each tick's requests over it, in the order of the trace, the same way every time. */
function arrivalsMs(requests: readonly MooncakeRequest[]): number[] {
  const rng = seededRng(3);
  const spread = requests.map((request) => request.timestampMs + rng() * TICK_MS);
  return spread.sort((a, b) => a - b).map((ms) => ms / SPEED);
}

async function replay(requests: readonly MooncakeRequest[], policy: string): Promise<Arm> {
  const sims: Sim[] = await startSims(ENGINES, {
    speed: SPEED,
    profile: 'llama-3.1-8b-h100',
    kvBlocks: KV_BLOCKS,
    extraArgs: ['--max-model-len', '131072'],
  });
  try {
    return await withSystem({ sims, services: true, policy }, async (sluice) => {
      const urls = sims.map((sim) => sim.url);
      const dueMs = arrivalsMs(requests);
      const startedMs = performance.now();
      const cachedOf = new Float64Array(requests.length);
      let complete = 0;
      await Promise.all(
        requests.map(async (request, i) => {
          await new Promise((resolve) => setTimeout(resolve, dueMs[i]! - (performance.now() - startedMs)));
          const answer = await post(`${sluice.dataUrl}/v1/completions`, {
            model: MODEL,
            prompt: textOfBlocks(request.hashIds, request.inputTokens, MOONCAKE_BLOCK_TOKENS),
            max_tokens: Math.max(1, request.outputTokens),
            ignore_eos: true,
            stream: true,
            stream_options: { include_usage: true },
          });
          if (answer.complete) complete++;
          cachedOf[i] = answer.usage?.prompt_tokens_details?.cached_tokens ?? 0;
        }),
      );
      return {
        cached: await sumMetric(urls, 'vllm:prefix_cache_hits_total'),
        cachedOfFirst: cachedOf.subarray(0, FIRST).reduce((a, b) => a + b, 0),
        prompt: await sumMetric(urls, 'vllm:prompt_tokens_total'),
        complete,
      };
    });
  } catch (error) {
    const ended = sims.filter((sim) => sim.child.exit !== null).map((sim) => `${sim.name}:\n${sim.child.outputTail}`);
    throw new Error(`${(error as Error).message}; engines that ended: ${ended.join('\n') || 'none'}`, { cause: error });
  } finally {
    await stopSims(sims);
  }
}

describe('Mooncake conversation trace over HTTP at 4 engines, separate processes on NATS and Redis', () => {
  let skip: string | null = null;
  let requests: MooncakeRequest[] = [];

  beforeAll(async () => {
    skip = await missingPrograms('nats-server', 'redis-server');
    const trace = await loadMooncakeConversation(tracesDir, REQUESTS);
    if (trace.kind === 'absent') skip ??= `needs ${trace.path} (set SLUICE_TRACES)`;
    else requests = trace.requests;
  });

  afterAll(() => {
    if (skip !== null) console.log(`skipped: ${skip}`);
  });

  it('prefix-aware routing reuses at least 1.5 times the tokens of round-robin, in one run', async () => {
    if (skip !== null) return;
    const roundRobin = await replay(requests, 'round-robin');
    const aware = await replay(requests, 'expected-latency');
    const first = requests.slice(0, FIRST);
    const ratio = aware.cached / roundRobin.cached;
    console.log(
      [
        `engines' own counters over ${REQUESTS} requests (cached / prompt tokens):`,
        `  round-robin       ${roundRobin.cached} / ${roundRobin.prompt}`,
        `  expected-latency  ${aware.cached} / ${aware.prompt}   ratio ${ratio.toFixed(2)}`,
        `  bound without eviction: round-robin ${bound(requests, (j) => j % ENGINES)}, any routing ${bound(requests, () => 0)}`,
        `first ${FIRST} requests (usage): round-robin ${roundRobin.cachedOfFirst}, expected-latency ${aware.cachedOfFirst},`,
        `  ratio ${(aware.cachedOfFirst / roundRobin.cachedOfFirst).toFixed(2)}; bound ${(bound(first, () => 0) / bound(first, (j) => j % ENGINES)).toFixed(2)}`,
      ].join('\n'),
    );
    expect(roundRobin.complete).toBe(REQUESTS);
    expect(aware.complete).toBe(REQUESTS);
    expect(ratio).toBeGreaterThanOrEqual(1.5);
  }, 400_000);
});
