import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLoad } from './load.ts';
import type { BenchOptions } from './options.ts';
import { PromptText } from './prompt-text.ts';

const OPTIONS: BenchOptions = {
  ...{ url: 'http://x', format: 'auto', speed: 1, qps: 50, arrivals: 1, warmUp: 2, duration: 10 },
  ...{ promptTokens: 100, outputTokens: 8, prefixes: 4, prefixTokens: 60, ignoreEos: true },
  ...{ sloTtft: 1000, sloTpot: 100, timeout: 60, json: false },
};
const wordsOf = (text: string): string[] => text.trim().split(' ');

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('load', () => {
  it('of a shape: Poisson arrivals over warm-up and duration, each prompt with one of the prefixes', async () => {
    const { requests, warmUpMs, measuredMs } = await createLoad(OPTIONS, 3, 32_768);
    expect([warmUpMs, measuredMs]).toEqual([2000, 10_000]);
    // 12 s of 50 requests/s: five standard deviations
    expect(Math.abs(requests.length - 600)).toBeLessThan(5 * Math.sqrt(600));
    expect(requests.every(({ arrivalMs }, i) => i === 0 || arrivalMs >= requests[i - 1]!.arrivalMs)).toBe(true);
    expect(requests.at(-1)!.arrivalMs).toBeLessThan(12_000);
    const prompts = new PromptText(3);
    const texts = requests.slice(0, 100).map((request, i) => prompts.of(request, i));
    for (const text of texts) expect(wordsOf(text)).toHaveLength(100);
    const prefixes = new Set(texts.map((text) => wordsOf(text).slice(0, 60).join(' ')));
    expect(prefixes.size).toBe(4);
    expect(new Set(texts).size).toBe(100);
  });

  it('is the same for the same seed, and another for another', async () => {
    const of = async (seed: number): Promise<string> => {
      const { requests } = await createLoad(OPTIONS, seed, 32_768);
      return requests[0]!.arrivalMs + new PromptText(seed).of(requests[0]!, 0);
    };
    expect(await of(1)).toBe(await of(1));
    expect(await of(1)).not.toBe(await of(2));
  });

  it('of a workload or a trace fits into the context of the model', async () => {
    const long = await createLoad({ ...OPTIONS, workload: 'b2b', qps: 5 }, 1, 4096);
    for (const { promptTokens, outputTokens } of long.requests) {
      expect(promptTokens + outputTokens).toBeLessThanOrEqual(4096);
      expect(outputTokens).toBeGreaterThan(0);
    }
    const line = (timestamp: number, hash_ids: number[]): string =>
      JSON.stringify({ timestamp, input_length: 512 * hash_ids.length, output_length: 20, hash_ids });
    const trace = join(folder, 'trace.jsonl');
    await writeFile(trace, [line(0, [1, 2]), line(5000, [1, 3, 4]), line(15_000, [5])].join('\n'));
    const { duration: _duration, ...whole } = { ...OPTIONS, trace, warmUp: 0, speed: 2 };
    const played = await createLoad(whole, 1, 32_768);
    expect(played.requests.map(({ promptTokens }) => promptTokens)).toEqual([1024, 1536, 512]);
    expect(played.measuredMs).toBeGreaterThan(6000);
    const cut = await createLoad({ ...whole, duration: 4 }, 1, 32_768);
    expect([cut.requests.length, cut.measuredMs]).toEqual([2, 4000]);
    const prompts = new PromptText(1);
    const [first, second] = played.requests.map((request, i) => wordsOf(prompts.of(request, i)));
    expect(second!.slice(0, 512)).toEqual(first!.slice(0, 512));
    expect(second!.slice(512, 600)).not.toEqual(first!.slice(512, 600));
  });

  it('says what cannot be used', async () => {
    await expect(createLoad({ ...OPTIONS, trace: '/nonexistent.jsonl' }, 1, 4096)).rejects.toThrow(/nonexistent/);
    await expect(createLoad({ ...OPTIONS, qps: 0.001, duration: 0.1 }, 1, 4096)).rejects.toThrow(/--qps larger/);
  });
});
