import { afterAll, describe, expect, it } from '@jest/globals';
import { loadMooncakeConversation, MOONCAKE_BLOCK_TOKENS } from '@sluice/testkit';
import { b2bWorkload, playTrace, summarize } from '@sluice/twin';
import type { SimulatedRequest } from '@sluice/twin';
import { PROFILES } from '@sluice/engine-model';
import { Report } from '../report.ts';
import { missingPrograms, tracesDir } from '../setup.ts';
import { compare, isNear, linesOf, runInTwin } from './compare.ts';
import type { Comparison } from './compare.ts';
import { ExactText } from './exact-text.ts';
import { runLive } from './live-run.ts';
import type { Experiment } from './live-run.ts';

/** Sections of a report of all tests: a part of them leaves the page as it is. */
const SECTIONS = 3;
const TRACE_S = 75;

const missing = await missingPrograms('nats-server', 'redis-server');
if (missing !== null) console.log(`skipped: ${missing}`);

(missing === null ? describe : describe.skip)('the twin against the multi-process system', () => {
  const report = new Report({
    file: 'e2e-twin.md',
    title: 'The twin against the live system',
    about: [
      'What `npm run e2e:twin` measured last: the same requests, sent at the same times, through simulated engines behind',
      'every service as a process of its own over HTTP (nats-server, redis-server), and through the twin with the same seed.',
      'The client measures from its own sending on. Engines run at the speed of their profile.',
    ],
    command: 'npm run e2e:twin',
  });

  const hold = async (experiment: Experiment): Promise<Comparison> => {
    const live = await runLive(experiment, await ExactText.load());
    return compare(experiment, runInTwin(experiment), live);
  };
  const expectAsFast = ({ twinTtft, liveTtft }: Comparison): void => {
    expect(isNear(twinTtft.p50, liveTtft.p50)).toBe(true);
    expect(isNear(twinTtft.p99, liveTtft.p99)).toBe(true);
  };

  afterAll(async () => {
    if (report.sections === SECTIONS) await report.write();
  });

  it('shared prefixes at low load', async () => {
    const comparison = await hold({
      requests: b2bWorkload({
        qps: 4,
        warmUpS: 5,
        measuredS: 75,
        groups: 24,
        outputTokens: 60,
        verbatim: false,
        seed: 2,
      }),
      engines: 4,
      profile: 'qwen3-32b-tp2-h100',
      policy: 'expected-latency',
      seed: 2,
      services: true,
      warmUpMs: 5000,
    });
    report.add(
      'Shared prefixes: 4 requests/s for 80 s, 24 system prompts of 6,000 tokens, new questions of 1,200, 60 out; four `qwen3-32b-tp2-h100`',
      ...linesOf(comparison),
    );
    const { requests, identical, identicalWithOtherSeed } = comparison;
    expect(identical / requests).toBeGreaterThanOrEqual(0.95);
    expect(identicalWithOtherSeed / requests).toBeLessThan(0.95);
    expectAsFast(comparison);
  }, 300_000);

  it('the Mooncake conversation trace at half its speed', async () => {
    const trace = await loadMooncakeConversation(tracesDir, 400);
    if (trace.kind === 'absent') {
      console.log(`skipped: needs ${trace.path} (set SLUICE_TRACES)`);
      return;
    }
    const profile = 'llama-3.1-8b-h100';
    const played = playTrace(
      {
        blockTokens: MOONCAKE_BLOCK_TOKENS,
        quantumMs: 3000,
        requests: trace.requests.map(({ timestampMs, inputTokens, outputTokens, hashIds }) => ({
          timestampMs,
          blocks: hashIds,
          promptTokens: inputTokens,
          outputTokens,
        })),
      },
      { speed: 0.5, seed: 1, kvTokens: PROFILES[profile].kvTokens },
    );
    const requests = played.filter(({ arrivalMs }) => arrivalMs < 1000 * TRACE_S);
    const comparison = await hold({
      requests,
      engines: 4,
      profile,
      policy: 'expected-latency',
      seed: 1,
      services: true,
      warmUpMs: 5000,
    });
    report.add(
      `Mooncake conversation at half its speed: the first ${requests.length} requests, ${TRACE_S} s, ${meanTokens(requests)} prompt tokens on average; four \`${profile}\``,
      ...linesOf(comparison),
    );
    // Chaotic: some 13 requests are in flight, nearly all choices are close, and one that ends a millisecond later sends all
    // that follow elsewhere. What it looks like to clients stays the same.
    expectAsFast(comparison);
  }, 300_000);

  it('ranks policies as the twin does', async () => {
    const rows: {
      readonly policy: string;
      readonly twinP99: number;
      readonly liveP99: number;
      readonly line: string;
    }[] = [];
    for (const policy of ['expected-latency', 'weighted-3-2-2', 'round-robin', 'least-request'] as const) {
      const comparison = await hold({
        requests: b2bWorkload({
          qps: 16,
          warmUpS: 20,
          measuredS: 60,
          groups: 60,
          outputTokens: 60,
          verbatim: false,
          seed: 1,
        }),
        engines: 8,
        profile: 'qwen3-32b-tp2-h100',
        kvTokens: 64_000,
        policy,
        seed: 1,
        services: true,
        warmUpMs: 20_000,
      });
      const { requests, identical, ties, twinTtft, liveTtft, coresBusy } = comparison;
      const seconds = ({ mean, p50, p99 }: Comparison['twinTtft']): string =>
        [mean, p50, p99].map((ms) => (ms! / 1000).toFixed(2)).join(' / ');
      const line =
        `${policy}: TTFT mean / p50 / p99 in s: twin ${seconds(twinTtft)}, live ${seconds(liveTtft)}; same engine ` +
        `${((100 * identical) / requests).toFixed(1)} % (${ties} ties); ${coresBusy?.toFixed(2)} cores busy`;
      rows.push({ policy, twinP99: twinTtft.p99!, liveP99: liveTtft.p99!, line });
    }
    const ranked = (by: 'twinP99' | 'liveP99'): string[] =>
      [...rows].sort((a, b) => a[by] - b[by]).map(({ policy }) => policy);
    report.add(
      'Ranking: 16 requests/s for 80 s (20 of them warm-up), 60 system prompts of 6,000 tokens, new questions of 1,200, 60 out; eight `qwen3-32b-tp2-h100` of 64,000 KV tokens',
      ...rows.map(({ line }) => line),
      `by p99 TTFT in the twin: ${ranked('twinP99').join(', ')}; live: ${ranked('liveP99').join(', ')}`,
    );
    expect(ranked('liveP99')).toEqual(ranked('twinP99'));
  }, 900_000);
});

const meanTokens = (requests: readonly SimulatedRequest[]): string =>
  summarize(requests.map(({ promptTokens }) => promptTokens)).mean!.toFixed(0);
