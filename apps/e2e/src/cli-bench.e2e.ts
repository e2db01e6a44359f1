import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { post, type Sim, Sluice, syntheticText, waitFor } from '@sluice/testkit';
import { cli } from './cli.ts';
import { chatUrl, env, MODEL, poolOf, startSims, stopSims, sumMetric } from './setup.ts';

interface Distribution {
  readonly p50: number;
  readonly p99: number;
}
interface Result {
  readonly requests: { readonly sent: number; readonly completed: number; readonly failed: number };
  readonly ttftMs: Distribution;
  readonly e2eMs: Distribution;
  readonly goodShare: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly workers: Readonly<Record<string, number>>;
}

describe('load and lookups from the command line', () => {
  let folder = '';
  let sims: Sim[] = [];
  let sluice: Sluice;
  let admin = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
    sims = await startSims(2, { speed: 4 });
    sluice = await Sluice.start({ pools: [poolOf(sims)], services: false, env });
    admin = new URL(sluice.admin('router')).origin;
  }, 60_000);

  afterAll(async () => {
    await sluice?.stop();
    await stopSims(sims);
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  async function bench(...args: string[]): Promise<Result> {
    const { code, out, err } = await cli('bench', sluice.dataUrl, '--json', ...args);
    expect([code, err]).toEqual([0, '']);
    return JSON.parse(out) as Result;
  }

  it('a shape: what the client counts is what the engines counted', async () => {
    const urls = sims.map(({ url }) => url);
    const before = await Promise.all(
      ['vllm:prompt_tokens_total', 'vllm:generation_tokens_total', 'vllm:prefix_cache_hits_total'].map((name) =>
        sumMetric(urls, name),
      ),
    );
    const shape = ['--prompt-tokens', '600', '--prefixes', '3', '--prefix-tokens', '400', '--output-tokens', '12'];
    const result = await bench('--qps', '20', '--duration', '4', ...shape);
    expect(result.requests).toMatchObject({ completed: result.requests.sent, failed: 0 });
    const [prompt, generated, hits] = await Promise.all(
      ['vllm:prompt_tokens_total', 'vllm:generation_tokens_total', 'vllm:prefix_cache_hits_total'].map((name) =>
        sumMetric(urls, name),
      ),
    );
    expect([result.promptTokens, result.outputTokens, result.cachedTokens]).toEqual([
      prompt! - before[0]!,
      generated! - before[1]!,
      hits! - before[2]!,
    ]);
    expect(result.outputTokens).toBe(12 * result.requests.completed);
    // All but the first of each prefix, which may have been computed on either engine.
    const shared = 3 * 2;
    expect(result.cachedTokens).toBeGreaterThanOrEqual((result.requests.completed - shared) * 380);
    expect(Object.values(result.workers).reduce((sum, n) => sum + n, 0)).toBe(result.requests.completed);
    expect(result.ttftMs.p50).toBeLessThan(result.e2eMs.p50);
  });

  it('another run shares nothing with it, unless it has the same seed', async () => {
    const shape = [
      '--prompt-tokens',
      '400',
      '--prefix-tokens',
      '0',
      '--output-tokens',
      '2',
      '--qps',
      '20',
      '--limit',
      '15',
    ];
    expect((await bench(...shape, '--seed', '77')).cachedTokens).toBeLessThan(15 * 32);
    const again = await bench(...shape, '--seed', '77');
    expect(again.cachedTokens).toBeGreaterThan(0.5 * again.promptTokens);
    expect((await bench(...shape)).cachedTokens).toBeLessThan(15 * 32);
  });

  it('a trace, and a workload', async () => {
    const trace = join(folder, 'trace.jsonl');
    const line = (timestamp: number, blocks: number[]): string =>
      JSON.stringify({ timestamp, input_length: 512 * blocks.length, output_length: 5, hash_ids: blocks });
    await writeFile(trace, [line(0, [1, 2]), line(3000, [1, 2, 3]), line(6000, [1, 2, 3, 4])].join('\n'));
    const played = await bench('--trace', trace, '--speed', '10');
    expect(played.requests).toEqual({ sent: 3, completed: 3, failed: 0 });
    expect(played.outputTokens).toBe(15);
    expect(played.cachedTokens).toBeGreaterThan(1024);
    const workload = await bench('--workload', 'chat', '--qps', '20', '--duration', '1', '--limit', '10');
    expect(workload.requests.failed).toBe(0);
  });

  it('says what is wrong: nobody there, nothing served, options that say nothing', async () => {
    const nobody = await cli('bench', 'http://127.0.0.1:9', '--duration', '1');
    expect([nobody.code, nobody.out]).toEqual([1, '']);
    const other = await cli('bench', sluice.dataUrl, '--model', 'gpt');
    expect(other.err).toBe(`sluice bench: ${sluice.dataUrl} does not serve 'gpt'; it serves ${MODEL}\n`);
    const unused = await cli('bench', sluice.dataUrl, '--workload', 'b2b', '--prefixes', '3');
    expect([unused.code, unused.err]).toEqual([2, expect.stringContaining('--prefixes says nothing to a workload')]);
  });

  it('index lookup: the tokens that an engine holds of a chat, as the engine itself counts them', async () => {
    const messages = [
      { role: 'system', content: syntheticText(4711, 800) },
      { role: 'user', content: 'first' },
    ];
    const chat = { model: MODEL, messages, max_tokens: 2 };
    const first = await post(chatUrl(sluice), chat);
    const worker = first.headers.get('x-sluice-worker')!;
    const path = join(folder, 'chat.json');
    await writeFile(path, JSON.stringify(chat));

    interface Found {
      readonly workers: readonly { readonly worker: string; readonly cachedTokens: number }[];
    }
    const held = async (): Promise<number> => {
      const { code, out } = await cli('index', 'lookup', `@${path}`, '--json', '--admin', admin);
      expect(code).toBe(0);
      return (JSON.parse(out) as Found).workers.find((each) => each.worker === worker)!.cachedTokens;
    };
    await waitFor('the index to follow', 5000, async () => (await held()) > 0);
    const tokens = await held();
    const again = await post(chatUrl(sluice), chat);
    expect(again.usage!.prompt_tokens_details!.cached_tokens).toBe(tokens);

    const page = await cli('index', 'lookup', `@${path}`, '--admin', admin);
    expect(page.out).toMatch(new RegExp(`^${MODEL} in pool .*\\nworker .*\\n${worker} +${tokens} `));
    const unknown = await cli('index', 'lookup', 'x', '--model', 'gpt', '--admin', admin);
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining(`known are ${MODEL}`)]);
  });

  it('completion knows the commands, and a typing error is told the one that was meant', async () => {
    const { code, out } = await cli('completion', 'bash');
    expect(code).toBe(0);
    for (const word of ['doctor', 'bench', 'index', 'lookup', '--slo-ttft']) expect(out).toContain(word);
    const typo = await cli('wrokers');
    expect([typo.code, typo.err]).toEqual([2, expect.stringContaining('Did you mean workers?')]);
  });
});
