import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { post, type Sluice, sseEvents, waitFor } from '@sluice/testkit';
import { Report } from '../report.ts';
import { env, missingPrograms } from '../setup.ts';
import { EventClock } from './event-clock.ts';
import { type Kit, missingKit, MODEL, openKit, VllmEngine } from './kit.ts';
import {
  checkIndex,
  emptyCaches,
  type IndexCheck,
  mispredicted,
  renderingDifferences,
  type Sample,
  sendAll,
  setPolicy,
  startInFrontOf,
  sum,
} from './measure.ts';
import { sharedPrefixChats } from './workload.ts';

const REQUESTS = 300;
const CONCURRENCY = 8;
const BLOCK_TOKENS = 32;
/** Pause between two requests of the client that sends one at a time: events may be on their way for that long. */
const THINK_MS = 150;
/** Per engine: half of the system prompts fit with their conversations, all of them do not. */
const CACHE_TOKENS = 10_240;
/** Sections of a report of all tests: a part of them leaves the page as it is. */
const SECTIONS = 6;

const missing = (await missingPrograms('nats-server', 'redis-server')) ?? (await missingKit(env));
if (missing !== null) console.log(`skipped: ${missing}`);

(missing === null ? describe : describe.skip)('the multi-process system in front of two real vLLM engines', () => {
  const chats = sharedPrefixChats(20261123, REQUESTS);
  const report = new Report({
    file: 'e2e-vllm.md',
    title: 'Real engines',
    about: [
      'What `npm run e2e:vllm` measured last: two unmodified vLLM engines (CPU, tiny model with random weights and',
      "Qwen3's tokenizer) behind every service as a process of its own, on nats-server and redis-server. 300 chats of 16",
      'applications with system prompts of 600 tokens and conversations of up to four turns, in several scripts and with',
      'tools; the caches are such that about half of the applications fit into one engine. The client that sends one at a',
      'time pauses for 150 ms after an answer: without that, events of the last request may still be under way.',
    ],
    command: 'npm run e2e:vllm',
  });
  let kit: Kit;
  let engines: VllmEngine[] = [];
  let sluice: Sluice;
  let aware: { readonly sequential: Sample[]; readonly concurrent: Sample[] };

  const indexLine = (checks: readonly IndexCheck[]): string =>
    checks.map(({ worker, blocks, tookMs }) => `${worker} ${blocks} blocks (after ${tookMs.toFixed(0)} ms)`).join(', ');

  beforeAll(async () => {
    kit = await openKit(env);
    engines = await VllmEngine.startAll(kit, ['vllm-1', 'vllm-2'], CACHE_TOKENS);
    sluice = await startInFrontOf(kit, engines);
  }, 2_400_000);

  afterAll(async () => {
    if (report.sections === SECTIONS) await report.write(`vLLM ${await engines[0]!.version()}`);
    await sluice?.stop();
    await Promise.all(engines.map((engine) => engine.stop()));
  }, 120_000);

  it("renders every request to the bytes of the engine's own tokens", async () => {
    const differences = await renderingDifferences(sluice, engines[0]!, kit, chats);
    report.add('Rendering', `${REQUESTS - differences.length} of ${REQUESTS} requests equal to \`/tokenize\``);
    expect(differences).toEqual([]);
  }, 300_000);

  it('serves and predicts them one at a time, and eight at a time', async () => {
    await emptyCaches(sluice, engines, kit);
    const clock = new EventClock(engines);
    const sequential = await sendAll(sluice, chats, 1, THINK_MS);
    await clock.close();
    const afterSequential = await checkIndex(sluice, engines, kit);
    const concurrent = await sendAll(sluice, chats, CONCURRENCY);
    const afterConcurrent = await checkIndex(sluice, engines, kit);
    aware = { sequential, concurrent };

    const wrong = mispredicted(sequential);
    const wrongConcurrent = mispredicted(concurrent);
    const beyond = wrong.filter(({ by }) => Math.abs(by) > BLOCK_TOKENS).length;
    const share = (count: number): string => `${(100 * (1 - count / REQUESTS)).toFixed(1)} %`;
    report.add(
      'Answers',
      `one at a time: ${sequential.filter((one) => one.complete).length} of ${REQUESTS} complete`,
      `eight at a time: ${concurrent.filter((one) => one.complete).length} of ${REQUESTS} complete`,
    );
    report.add(
      'Index against the events of the engines',
      `after one at a time: equal, ${indexLine(afterSequential)}`,
      `after eight at a time: equal, ${indexLine(afterConcurrent)}`,
    );
    report.add(
      'Predicted cached tokens against `usage.prompt_tokens_details.cached_tokens`',
      `one at a time: equal in ${share(wrong.length)} (at least 98 %), ${beyond === 0 ? `the rest within a block of ${BLOCK_TOKENS}` : `${beyond} off by more than a block`}`,
      ...wrong.map(({ sample, by }) => {
        const { batches, longestDelayMs } = clock.underWay(sample.worker, sample.decidedAtMs);
        const why =
          batches > 0
            ? `${batches} batches of events under way, for up to ${longestDelayMs.toFixed(0)} ms`
            : 'unexplained';
        return `request ${sample.index} on ${sample.worker}: ${by} of ${sample.promptTokens} tokens; ${why}`;
      }),
      `eight at a time: equal in ${share(wrongConcurrent.length)}, within a block in ${share(wrongConcurrent.filter(({ by }) => Math.abs(by) > BLOCK_TOKENS).length)}`,
    );
    expect([...sequential, ...concurrent].filter((one) => !one.complete)).toEqual([]);
    expect(sequential.filter((one) => !one.exactPrompt)).toEqual([]);
    expect(wrong.length).toBeLessThanOrEqual(0.02 * REQUESTS);
    expect(beyond).toBe(0);
  }, 900_000);

  it('reuses at least 1.5 times what round-robin does', async () => {
    await setPolicy(sluice, 'round-robin');
    await emptyCaches(sluice, engines, kit);
    const sequential = await sendAll(sluice, chats, 1, THINK_MS);
    const concurrent = await sendAll(sluice, chats, CONCURRENCY);
    await setPolicy(sluice, 'expected-latency');
    const cached = (samples: readonly Sample[]): number => sum(samples, (one) => one.cachedTokens);
    const line = (phase: string, ours: readonly Sample[], baseline: readonly Sample[]): string => {
      const ratio = (cached(ours) / cached(baseline)).toFixed(2);
      const prompt = sum(ours, (one) => one.promptTokens);
      return `${phase}: expected-latency ${cached(ours)}, round-robin ${cached(baseline)} of ${prompt} prompt tokens, ${ratio} times`;
    };
    const all = [...aware.sequential, ...aware.concurrent];
    const baseline = [...sequential, ...concurrent];
    report.add(
      'Reuse against round-robin (at least 1.5 times over the run)',
      line('one at a time', aware.sequential, sequential),
      line('eight at a time', aware.concurrent, concurrent),
      line('the whole run', all, baseline),
    );
    expect(baseline.filter((one) => !one.complete)).toEqual([]);
    expect(cached(all) / cached(baseline)).toBeGreaterThanOrEqual(1.5);
  }, 900_000);

  it('survives the death of an engine in the middle of its streams', async () => {
    const [victim] = engines as [VllmEngine, VllmEngine];
    const streams = Array.from({ length: 12 }, (_, i) =>
      post(`${sluice.dataUrl}/v1/chat/completions`, {
        ...chats[i * 20]!,
        model: MODEL,
        stream: true,
        max_tokens: 300,
        ignore_eos: true,
      }),
    );
    await waitFor('streams run on both engines', 30_000, async () => {
      const { workers } = await sluice.getAdmin<{ workers: { decodesRunning: number }[] }>('router', '/workers');
      return workers.length === 2 && workers.every((one) => one.decodesRunning > 0);
    });
    victim.kill();
    const answers = await Promise.all(streams);
    const complete = answers.filter((answer) => answer.complete);
    const cut = answers.filter((answer) => !answer.complete);
    const failedBefore = cut.filter((answer) => answer.firstByteMs === null);
    const unclean = cut.filter((answer) => answer.broken || !endsWithError(answer.text));

    const during = await sendAll(sluice, chats.slice(0, 10), 2);
    await victim.stop();
    await victim.start();
    await waitFor('the engine is back in the router', 20_000, async () => {
      const { workers } = await sluice.getAdmin<{ workers: { worker: string; up: boolean }[] }>('router', '/workers');
      return workers.every((one) => one.up);
    });
    const after = await sendAll(sluice, chats.slice(0, 60), CONCURRENCY);
    const checks = await checkIndex(sluice, engines, kit);
    report.add(
      'One engine killed in the middle of its streams, then started again',
      `12 streams: ${complete.length} complete, ${cut.length - unclean.length} ended with an error event,${unclean.length > 0 ? ` ${unclean.length} broke off,` : ''} ${failedBefore.length} failed before their first byte`,
      `while it was gone: ${during.filter((one) => one.complete).length} of ${during.length} complete, all on ${[...new Set(during.map((one) => one.worker))].join(', ')}`,
      `after its return: ${after.filter((one) => one.complete).length} of ${after.length} complete, on ${[...new Set(after.map((one) => one.worker))].sort().join(' and ')}`,
      `index: equal, ${indexLine(checks)}`,
    );
    expect(cut.length).toBeGreaterThan(0);
    expect(failedBefore).toEqual([]);
    expect(unclean.map((answer) => answer.text.slice(-300))).toEqual([]);
    expect([...during, ...after].filter((one) => !one.complete)).toEqual([]);
    expect(new Set(after.map((one) => one.worker)).size).toBe(2);
  }, 400_000);
});

/** Whether a stream that did not finish says so: its last event is an error. */
function endsWithError(text: string): boolean {
  const last = sseEvents(text).at(-1) as { error?: { message?: string } } | undefined;
  return typeof last?.error?.message === 'string';
}
