import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Sluice } from '@sluice/testkit';
import { Report } from '../report.ts';
import { env, missingPrograms } from '../setup.ts';
import { type Kit, missingKit, openKit, VllmEngine } from './kit.ts';
import { emptyCaches, setPolicy, startInFrontOf } from './measure.ts';
import { mixedLoad, sendClosedLoop, sendOpenLoop, sendTimed, type Timing } from './mixed-load.ts';

const CACHE_TOKENS = 16_384;
const PROBES = 60;
const LEARNED = 200;
const MEASURED = 200;
const IDENTICAL = 40;
/** Of the rate at which four senders that wait for their answers are served the same mix. */
const LOAD = 0.4;
const SENDERS = 4;

const missing = (await missingPrograms('nats-server', 'redis-server')) ?? (await missingKit(env));
if (missing !== null) console.log(`skipped: ${missing}`);

(missing === null ? describe : describe.skip)('predictions in front of two real vLLM engines', () => {
  const report = new Report({
    file: 'e2e-vllm-prediction.md',
    title: 'Predictions on real engines',
    about: [
      'What `npm run e2e:vllm -- prediction` measured last: two unmodified vLLM engines (CPU, tiny model) behind every',
      'service as a process of its own, all on the same processors, so that engines disturb each other. Open loop, Poisson,',
      'a mix of conversations that share system prompts, short questions and documents. The first half teaches the model,',
      'the second half is measured: sent four times at the same moments, by turns with expected-latency and round-robin;',
      'caches are emptied before each.',
    ],
    command: 'npm run e2e:vllm -- prediction',
  });
  let kit: Kit;
  let engines: VllmEngine[] = [];
  let sluice: Sluice;

  beforeAll(async () => {
    kit = await openKit(env);
    engines = await VllmEngine.startAll(kit, ['vllm-1', 'vllm-2'], CACHE_TOKENS);
    sluice = await startInFrontOf(kit, engines);
  }, 2_400_000);

  afterAll(async () => {
    await sluice?.stop();
    await Promise.all(engines.map((engine) => engine.stop()));
  }, 120_000);

  it('err little beside the spread of identical requests, and choose no worse than round-robin', async () => {
    const startMs = performance.now();
    await sendClosedLoop(sluice, mixedLoad(7, PROBES, 1), SENDERS);
    const ratePerS = (LOAD * PROBES) / ((performance.now() - startMs) / 1000);
    const arrivals = mixedLoad(20261123, LEARNED + MEASURED, ratePerS);
    const later = arrivals.slice(LEARNED);
    const measured = later.map(({ atMs, body }) => ({ atMs: atMs - later[0]!.atMs, body }));

    await sendOpenLoop(sluice, arrivals.slice(0, LEARNED));
    const run = async (policy: string): Promise<Timing[]> => {
      await setPolicy(sluice, policy);
      await emptyCaches(sluice, engines, kit);
      return sendOpenLoop(sluice, measured);
    };
    // In turn, so that a machine that grows slower is to the disadvantage of both.
    const first = await run('expected-latency');
    const firstRoundRobin = await run('round-robin');
    const second = await run('expected-latency');
    const secondRoundRobin = await run('round-robin');
    await setPolicy(sluice, 'expected-latency');
    const identical: Timing[] = [];
    for (let i = 0; i < IDENTICAL; i++) identical.push(await sendTimed(sluice, measured[0]!.body));

    const ours = [...first, ...second];
    const roundRobin = [...firstRoundRobin, ...secondRoundRobin];
    report.add(
      'Error of predictions, of actual',
      `TTFT: median ${percent(median(ours.map(ttftError)))}, nine in ten within ${percent(quantile(ours.map(ttftError), 0.9))}`,
      `TPOT: median ${percent(median(ours.map(tpotError)))}, nine in ten within ${percent(quantile(ours.map(tpotError), 0.9))}`,
    );
    const warm = identical.slice(1);
    const pairs = first
      .map((one, i) => [one, second[i]!] as const)
      .filter(([a, b]) => a.worker === b.worker && a.cachedTokens === b.cachedTokens);
    const apart = (of: (one: Timing) => number): number[] =>
      pairs.map(([a, b]) => Math.abs(of(a) - of(b)) / ((of(a) + of(b)) / 2));
    report.add(
      'Noise: what no prediction can know',
      `${warm.length} times the same request to the idle system: TTFT median ${percent(median(spread(warm.map(ttft))))} from its median, nine in ten within ${percent(quantile(spread(warm.map(ttft)), 0.9))}; TPOT ${percent(median(spread(warm.map(tpot))))}, ${percent(quantile(spread(warm.map(tpot)), 0.9))}`,
      `the same arrivals twice, ${pairs.length} requests that went to the same engine with as many tokens cached: TTFT median ${percent(median(apart(ttft)))} apart, nine in ten within ${percent(quantile(apart(ttft), 0.9))}; TPOT ${percent(median(apart(tpot)))}, ${percent(quantile(apart(tpot), 0.9))}`,
    );
    const row = (name: string, of: readonly Timing[]): string =>
      `${name}: TTFT mean ${mean(of.map(ttft)).toFixed(0)} ms, p90 ${quantile(of.map(ttft), 0.9).toFixed(0)}, p99 ${quantile(of.map(ttft), 0.99).toFixed(0)}; ` +
      `regret mean ${mean(of.map(regret)).toFixed(0)} ms, worst twentieth ${worstTwentieth(of.map(regret)).toFixed(0)}, p99 ${quantile(of.map(regret), 0.99).toFixed(0)}`;
    report.add(
      `Choices at ${ratePerS.toFixed(1)} requests a second; regret is the actual TTFT less the lowest predicted of any engine`,
      row('expected-latency', first),
      row('round-robin', firstRoundRobin),
      row('expected-latency again', second),
      row('round-robin again', secondRoundRobin),
      row('expected-latency, both', ours),
      row('round-robin, both', roundRobin),
    );
    await report.write(`vLLM ${await engines[0]!.version()}`);
    expect(ours.filter((one) => !(one.ttftMs > 0))).toEqual([]);
    expect(mean(ours.map(ttft))).toBeLessThan(mean(roundRobin.map(ttft)));
    expect(mean(ours.map(regret))).toBeLessThanOrEqual(mean(roundRobin.map(regret)));
    expect(worstTwentieth(ours.map(regret))).toBeLessThanOrEqual(worstTwentieth(roundRobin.map(regret)));
  }, 1_800_000);
});

const ttft = (one: Timing): number => one.ttftMs;
const tpot = (one: Timing): number => one.tpotMs;
const regret = (one: Timing): number => one.regretMs;
const ttftError = (one: Timing): number => Math.abs(one.predictedTtftMs - one.ttftMs) / one.ttftMs;
const tpotError = (one: Timing): number => Math.abs(one.predictedTpotMs - one.tpotMs) / one.tpotMs;
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))]!;
/**
 * Mean of the largest twentieth (the conditional value at risk). Unlike a high quantile it does not hang on one request:
 * of some hundred, the worst hundredth is one or two, and what identical requests take differs by more than a policy can do.
 */
const worstTwentieth = (values: readonly number[]): number =>
  mean(values.toSorted((a, b) => b - a).slice(0, Math.ceil(values.length / 20)));
const median = (values: readonly number[]): number => quantile(values, 0.5);
/** Distances from the median, as shares of it. */
const spread = (values: readonly number[]): number[] =>
  values.map((value) => Math.abs(value - median(values)) / median(values));
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
