import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadTrace, TraceError } from './load-trace.ts';
import type { FormatId } from './load-trace.ts';
import { sampleTrace } from './testing.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-trace-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function refusal(text: string, format: FormatId = 'auto'): Promise<string> {
  const file = join(folder, 'trace');
  await writeFile(file, text);
  const error: unknown = await loadTrace(file, format, Infinity).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TraceError);
  return (error as Error).message.replace(file, 'FILE');
}

describe('loadTrace', () => {
  it('reads Mooncake traces: blocks of 512 tokens, times rounded to 3 s', async () => {
    const trace = await loadTrace(sampleTrace('mooncake.jsonl'), 'auto', Infinity);
    expect(trace).toMatchObject({ blockTokens: 512, quantumMs: 3000 });
    expect(trace.requests).toHaveLength(6);
    expect(trace.requests[0]).toEqual({
      timestampMs: 0,
      blocks: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
      promptTokens: 6758,
      outputTokens: 500,
    });
  });

  it('reads Azure traces: all seven decimals of the time, nothing shared', async () => {
    const { requests, quantumMs } = await loadTrace(sampleTrace('azure.csv'), 'auto', Infinity);
    expect([requests.length, quantumMs]).toEqual([6, 0]);
    expect(requests[0]).toMatchObject({ promptTokens: 4808, outputTokens: 10, blocks: [] });
    expect(requests[2]!.timestampMs - requests[0]!.timestampMs).toBeCloseTo(4078.149 - 3979.96, 2);
  });

  it('reads traces with token ids: equal blocks where everything up to there is equal', async () => {
    const file = join(folder, 'tokens');
    const line = (arrival: number, ids: number[]): string =>
      JSON.stringify({ input_toks: ids.length, output_toks: 3, arrival_time_ns: arrival, input_tok_ids: ids });
    const run = (first: number): number[] => Array.from({ length: 16 }, (_, i) => first + i);
    const prompts = [[...run(0), ...run(50), 7], [...run(0), ...run(50)], [...run(9), ...run(50)], run(0).slice(1)];
    await writeFile(file, prompts.map((ids, i) => line(i * 1e6, ids)).join('\n'));
    const { requests, blockTokens } = await loadTrace(file, 'auto', Infinity);
    expect(blockTokens).toBe(16);
    expect(requests.map(({ blocks }) => blocks)).toEqual([[0, 1], [0, 1], [2, 3], []]);
    expect(requests.map(({ promptTokens }) => promptTokens)).toEqual([33, 32, 32, 15]);
    expect(requests.map(({ timestampMs }) => timestampMs)).toEqual([0, 1, 2, 3]);
    const real = (await loadTrace(sampleTrace('tokens.jsonl'), 'auto', Infinity)).requests;
    expect(real).toHaveLength(4);
    for (const { blocks, promptTokens } of real) expect(blocks).toHaveLength(Math.floor(promptTokens / 16));
  });

  it('stops at the limit and does not look at what follows', async () => {
    const file = join(folder, 'cut');
    await writeFile(file, `${(await readFile(sampleTrace('azure.csv'), 'utf8')).trim()}\nnonsense`);
    expect((await loadTrace(file, 'azure', 3)).requests).toHaveLength(3);
    await expect(loadTrace(file, 'azure', 99)).rejects.toThrow(/cut:8: a row has 3 fields/);
  });

  it('takes blank lines, Windows line ends and a byte order mark', async () => {
    const file = join(folder, 'windows.csv');
    await writeFile(file, '\uFEFFTIMESTAMP,ContextTokens,GeneratedTokens\r\n\r\n2023-11-16 18:17:03.9,5,6\r\n');
    expect((await loadTrace(file, 'auto', Infinity)).requests).toHaveLength(1);
  });

  const mooncake = (change: object): string =>
    JSON.stringify({ timestamp: 0, input_length: 600, output_length: 5, hash_ids: [0, 1], ...change });
  const tokens = (change: object): string =>
    JSON.stringify({ output_toks: 1, arrival_time_ns: 0, input_tok_ids: [1], ...change });
  const azure = (row: string): string => `TIMESTAMP,ContextTokens,GeneratedTokens\n${row}`;

  it.each([
    [mooncake({}).slice(0, -1), /^FILE:1: no JSON/],
    [`${mooncake({})}\n\n${mooncake({ timestamp: -1 })}`, /^FILE:3: timestamp/],
    [mooncake({ input_length: 0.5 }), /^FILE:1: input_length/],
    [mooncake({ output_length: 'x' }), /^FILE:1: output_length/],
    [mooncake({ hash_ids: [2 ** 31] }), /^FILE:1: hash_ids/],
    [mooncake({ hash_ids: [1, 2, 3] }), /^FILE:1: 3 hash_ids are too many for 600 tokens/],
    [tokens({ arrival_time_ns: null }), /^FILE:1: arrival_time_ns/],
    [tokens({ output_toks: -1 }), /^FILE:1: output_toks/],
    [tokens({ input_tok_ids: [] }), /^FILE:1: input_tok_ids/],
    [tokens({ input_toks: 2 }), /^FILE:1: input_toks is 2, but there are 1/],
    [azure('yesterday,1,2'), /^FILE:2: 'yesterday' is no time/],
    [azure('2023-13-16 18:17:03,1,2'), /^FILE:2: '2023-13-16 18:17:03' is no time/],
    [azure('2023-11-16 18:17:03,,2'), /^FILE:2: ContextTokens/],
    [azure('2023-11-16 18:17:03,1,-2'), /^FILE:2: GeneratedTokens/],
    [azure('').trim(), /^FILE: there are no requests in it/],
    ['', /^FILE: there are no requests in it/],
    ['prompt,answer\n', /^FILE:1: of no known format; known are mooncake .*, azure .*, tokens/],
  ])('refuses %j with file, line and reason', async (text, message) => {
    expect(await refusal(text)).toMatch(message);
  });

  it('holds a file to the format that it was said to have', async () => {
    expect(await refusal('[]', 'mooncake')).toBe('FILE:1: a line must be a JSON object');
    expect(await refusal(mooncake({}), 'azure')).toMatch(/^FILE:1: the header must be TIMESTAMP/);
  });
});
