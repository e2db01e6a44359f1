import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Answer, post, type Sim, Sluice, syntheticText, waitFor } from '@sluice/testkit';
import { env, MODEL, poolOf, startSims, stopSims } from './setup.ts';

/** Requests of one kind, sent at a steady rate whatever becomes of them. */
interface Stream {
  readonly perSecond: number;
  readonly headers: Record<string, string>;
  readonly seed: number;
}

const LASTS_S = 8;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function play(url: string, { perSecond, headers, seed }: Stream): Promise<Answer[]> {
  const answers: Promise<Answer>[] = [];
  const startedMs = performance.now();
  for (let i = 0; i < perSecond * LASTS_S; i++) {
    await sleep(Math.max(0, startedMs + (1000 * i) / perSecond - performance.now()));
    const body = {
      model: MODEL,
      stream: true,
      max_tokens: 100,
      ignore_eos: true,
      messages: [{ role: 'user', content: syntheticText(seed + i, 500) }],
    };
    answers.push(post(`${url}/v1/chat/completions`, body, { headers }));
  }
  return Promise.all(answers);
}

/** Nearest-rank percentile of the times to the first byte, failures as infinitely late. */
function ttftMs(answers: readonly Answer[], share: number): number {
  const sorted = answers.map((answer) => (answer.complete ? answer.firstByteMs! : Infinity)).sort((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1]!;
}

// The full measurement, with claims, is the twin's (apps/bench): here two busy cores carry engines, router and clients.
describe('a fleet that is flooded', () => {
  let sims: Sim[] = [];
  let sluice: Sluice;

  beforeAll(async () => {
    // some ten requests at a time fit into each engine
    sims = await startSims(2, { profile: 'llama-3.1-8b-h100', kvBlocks: 400 });
    sluice = await Sluice.start({
      pools: [poolOf(sims)],
      services: false,
      env: { ...env, ROUTER_QUEUE_REQUESTS: '60' },
    });
  }, 120_000);

  afterAll(async () => {
    await sluice?.stop();
    await stopSims(sims);
  }, 60_000);

  const idle = (): Promise<unknown> =>
    waitFor('nothing in flight', 30_000, async () => {
      const { pools } = await sluice.getAdmin<{ pools: { workers: { running: number; held: number }[] }[] }>(
        'router',
        '/queues',
      );
      return pools[0]!.workers.every(({ running, held }) => running === 0 && held === 0);
    });
  const shedReasons = (answers: readonly Answer[]): Set<string | null> =>
    new Set(answers.filter(({ status }) => status === 429).map(({ headers }) => headers.get('x-sluice-shed-reason')));

  it('by one tenant, ten to one: the other one does not wait with it, and the flood is shed', async () => {
    const quiet: Stream = { perSecond: 4, headers: { 'x-sluice-tenant': 'quiet' }, seed: 1_000 };
    const alone = await play(sluice.dataUrl, quiet);
    await idle();
    const flood: Stream = { perSecond: 40, headers: { 'x-sluice-tenant': 'flood' }, seed: 100_000 };
    const [floods, beside] = await Promise.all([
      play(sluice.dataUrl, flood),
      play(sluice.dataUrl, { ...quiet, seed: 2_000 }),
    ]);
    await idle();
    const shed = floods.filter(({ status }) => status === 429);
    const served = floods.filter(({ complete }) => complete);
    console.log(
      `quiet tenant, TTFT p50 / p99: ${ttftMs(alone, 0.5).toFixed(0)} / ${ttftMs(alone, 0.99).toFixed(0)} ms alone, ` +
        `${ttftMs(beside, 0.5).toFixed(0)} / ${ttftMs(beside, 0.99).toFixed(0)} ms beside a flood of ten times as many; ` +
        `the flood: p50 ${ttftMs(served, 0.5).toFixed(0)} ms, ${shed.length} of ${floods.length} shed`,
    );
    expect(beside.every(({ complete }) => complete)).toBe(true);
    expect(served.length + shed.length).toBe(floods.length);
    expect(shed.length).toBeGreaterThan(0);
    expect(ttftMs(beside, 0.99)).toBeLessThan(ttftMs(served, 0.5));
    for (const { headers } of shed) expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect([...shedReasons(floods)].every((reason) => reason === 'queue-full' || reason === 'displaced')).toBe(true);
  });

  it('beyond its capacity: urgent requests go first, and only others are shed', async () => {
    const urgent: Stream = { perSecond: 4, headers: { 'x-sluice-priority': '1' }, seed: 3_000 };
    const [low, first] = await Promise.all([
      play(sluice.dataUrl, { perSecond: 40, headers: { 'x-sluice-priority': '-1' }, seed: 300_000 }),
      play(sluice.dataUrl, urgent),
    ]);
    await idle();
    const shed = low.filter(({ status }) => status === 429).length;
    const served = low.filter(({ complete }) => complete);
    console.log(
      `urgent, TTFT p50 / p99: ${ttftMs(first, 0.5).toFixed(0)} / ${ttftMs(first, 0.99).toFixed(0)} ms; ` +
        `the rest: p50 ${ttftMs(served, 0.5).toFixed(0)} ms, ${shed} of ${low.length} shed`,
    );
    expect(first.every(({ complete }) => complete)).toBe(true);
    expect(shed).toBeGreaterThan(0);
    expect(ttftMs(first, 0.99)).toBeLessThan(ttftMs(served, 0.5));
  });
});
