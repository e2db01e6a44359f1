import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseEngineMetrics } from '@sluice/engine-wire';
import { rawRequest } from './testing/raw-http.ts';
import { closeSimulators, simulatorWith, until } from './testing/simulators.ts';
import type { RunningSimulator } from './start-simulator.ts';

interface Family {
  help: string;
  type: string;
  /** `name{label names}` of every sample, without repeats. */
  series: string[];
  /** Bucket bounds of a histogram. */
  bounds: string[];
  samples: Map<string, string>;
}

const SAMPLE = /^([^{ ]+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;

function parsePage(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let family: Family | undefined;
  for (const line of text.split('\n')) {
    const [, keyword, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      family = { help: rest!, type: '', series: [], bounds: [], samples: new Map() };
      families.set(name!, family);
    } else if (keyword === 'TYPE') family!.type = rest!;
    else if (line !== '') {
      const [, sample, labels = '', value] = SAMPLE.exec(line)!;
      const pairs = [...labels.matchAll(LABEL)].map(([, label, text]) => [label!, text!] as const);
      const bound = pairs.find(([label]) => label === 'le')?.[1];
      if (bound !== undefined && !family!.bounds.includes(bound)) family!.bounds.push(bound);
      const shape = `${sample}{${pairs.map(([label]) => label).join()}}`;
      if (!family!.series.includes(shape)) family!.series.push(shape);
      family!.samples.set(`${sample}{${labels}}`, value!);
    }
  }
  return families;
}

const SLOW = ['--max-num-seqs', '4', '--max-model-len', '8192', '--block-size', '32', '--kv-blocks', '400'];
const captured = readFileSync(new URL('../testdata/metrics.txt', import.meta.url), 'utf8');
let simulator: RunningSimulator;
let loaded: string;
const page = async (): Promise<string> => (await rawRequest(simulator.url, { method: 'GET', path: '/metrics' })).body;

beforeAll(async () => {
  simulator = await simulatorWith(...SLOW, '--speed', '50');
  const ask = (body: object): Promise<unknown> =>
    rawRequest(simulator.url, {
      method: 'POST',
      path: '/v1/completions',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const prompt = Array.from({ length: 300 }, (_, i) => i);
  await ask({ prompt, max_tokens: 20 });
  await ask({ prompt, max_tokens: 20 });
  loaded = await page();
});
afterAll(closeSimulators);

describe.each([
  ['vLLM 0.32.0, captured', () => captured],
  ['the simulator', () => loaded],
])('metrics of %s', (_name, text) => {
  it.each([
    ['vllm:num_requests_running', 'gauge', 'engine,model_name'],
    ['vllm:num_requests_waiting', 'gauge', 'engine,model_name'],
    ['vllm:num_requests_waiting_by_reason', 'gauge', 'engine,model_name,reason'],
    ['vllm:kv_cache_usage_perc', 'gauge', 'engine,model_name'],
    ['vllm:prefix_cache_queries_total', 'counter', 'engine,model_name'],
    ['vllm:prefix_cache_hits_total', 'counter', 'engine,model_name'],
    ['vllm:num_preemptions_total', 'counter', 'engine,model_name'],
    ['vllm:prompt_tokens_total', 'counter', 'engine,model_name'],
    ['vllm:prompt_tokens_cached_total', 'counter', 'engine,model_name'],
    ['vllm:generation_tokens_total', 'counter', 'engine,model_name'],
    ['vllm:request_success_total', 'counter', 'engine,finished_reason,model_name'],
  ])('have %s, a %s by %s', (name, type, labels) => {
    const family = parsePage(text()).get(name)!;
    expect([family.type, family.series]).toEqual([type, [`${name}{${labels}}`]]);
  });

  it.each(['time_to_first_token_seconds', 'inter_token_latency_seconds', 'e2e_request_latency_seconds'])(
    'have the histogram vllm:%s, cumulative up to its count',
    (name) => {
      const family = parsePage(text()).get(`vllm:${name}`)!;
      expect(family.type).toBe('histogram');
      expect(family.bounds.at(-1)).toBe('+Inf');
      const values = [...family.samples].filter(([key]) => key.includes('le=')).map(([, value]) => Number(value));
      expect(values).toEqual([...values].sort((a, b) => a - b));
      expect(family.samples.get(`vllm:${name}_count{engine="0",model_name="tiny"}`)).toBe(`${values.at(-1)}.0`);
    },
  );

  it('name the KV cache: 400 blocks of 32 tokens', () => {
    const [info] = parsePage(text()).get('vllm:cache_config_info')!.samples.keys();
    const labels = new Map([...info!.matchAll(LABEL)].map(([, name, value]) => [name, value]));
    expect([labels.get('block_size'), labels.get('num_gpu_blocks'), labels.get('kv_cache_size_tokens')]).toEqual([
      '32',
      '400',
      '12800',
    ]);
  });
});

describe('metrics of the simulator', () => {
  it('have the help, type, labels and buckets of vLLM in every family they share, and share most', () => {
    const theirs = parsePage(captured);
    const ours = [...parsePage(loaded)].filter(([name]) => name.startsWith('vllm:'));
    expect(ours.length).toBeGreaterThan(50);
    for (const [name, { help, type, series, bounds }] of ours) {
      const { samples: _, ...definition } = theirs.get(name)!;
      if (name === 'vllm:cache_config_info') continue;
      expect({ name, help, type, series, bounds }).toEqual({ name, ...definition });
    }
  });

  it('count the two requests that were served', () => {
    const value = (name: string, labels = 'engine="0",model_name="tiny"'): string | undefined =>
      parsePage(loaded)
        .get(name.replace(/_(count|sum)$/, ''))
        ?.samples.get(`${name}{${labels}}`);
    expect(value('vllm:prompt_tokens_total')).toBe('600.0');
    expect(value('vllm:generation_tokens_total')).toBe('40.0');
    // the second prompt finds the 9 full blocks of the first
    expect(value('vllm:prefix_cache_queries_total')).toBe('600.0');
    expect(value('vllm:prefix_cache_hits_total')).toBe('288.0');
    expect(value('vllm:prompt_tokens_cached_total')).toBe('288.0');
    expect(value('vllm:request_success_total', 'engine="0",finished_reason="length",model_name="tiny"')).toBe('2.0');
    expect(value('vllm:time_to_first_token_seconds_count')).toBe('2.0');
    expect(value('vllm:inter_token_latency_seconds_count')).toBe('38.0');
    expect(value('vllm:e2e_request_latency_seconds_count')).toBe('2.0');
    expect(value('vllm:request_prefill_kv_computed_tokens_sum')).toBe('312.0');
    expect(loaded).toContain('engine_sim_info{profile="llama-3.1-8b-h100",seed="0",speed="50"} 1.0');
  });

  it('show four running and twelve waiting, as the captured engine with --max-num-seqs 4 did', async () => {
    const slow = await simulatorWith(...SLOW);
    const clients = Array.from({ length: 16 }, () => new AbortController());
    const open = clients.map(({ signal }, i) =>
      fetch(`${slow.url}/v1/completions`, {
        method: 'POST',
        signal,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ prompt: [i, 1, 2, 3], max_tokens: 5000, stream: true }),
      }),
    );
    const signals = async (): Promise<ReturnType<typeof parseEngineMetrics>[number]> => {
      const { body } = await rawRequest(slow.url, { method: 'GET', path: '/metrics' });
      return parseEngineMetrics(body)[0]!;
    };
    await until(async () => (await signals()).waitingRequests === 12);
    expect(await signals()).toMatchObject({ rank: 0, runningRequests: 4, waitingRequests: 12, gpuBlocks: 400 });
    expect((await rawRequest(slow.url, { method: 'GET', path: '/load' })).body).toBe('{"server_load":16}');
    for (const client of clients) client.abort();
    await Promise.allSettled(open);
    // a client that leaves takes its request out of the engine, running or waiting
    await until(async () => {
      const { runningRequests, waitingRequests, kvUsage } = await signals();
      return runningRequests === 0 && waitingRequests === 0 && kvUsage === 0;
    });
    expect((await rawRequest(slow.url, { method: 'GET', path: '/load' })).body).toBe('{"server_load":0}');
  });

  it('answers for the samples that are asked for by name, as the client library of vLLM does', async () => {
    const names = ['vllm:num_requests_running', 'vllm:cache_config_info', 'vllm:prefix_cache_hits_total', 'nothing'];
    const path = `/metrics/?${names.map((name) => `name[]=${name}`).join('&')}`;
    const { body } = await rawRequest(simulator.url, { method: 'GET', path });
    const whole = parsePage(await page());
    const asked = parsePage(body);
    expect([...asked.keys()]).toEqual([...whole.keys()].filter((name) => names.includes(name)));
    for (const [name, family] of asked)
      expect({ ...family, samples: null }).toEqual({ ...whole.get(name), samples: null });
    expect((await rawRequest(simulator.url, { method: 'GET', path: '/metrics/' })).body.length).toBe(
      (await page()).length,
    );
  });
});
