import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sampleTrace } from '@sluice/traces/testing';
import { runSimulate } from './simulate.ts';
import type { SimulateOptions } from './simulate.ts';

const OPTIONS = {
  trace: sampleTrace('mooncake.jsonl'),
  format: 'auto',
  speed: 1,
  qps: 5,
  engines: 2,
  profile: 'qwen3-32b-tp2-h100',
  policy: ['expected-latency', 'round-robin'],
  seeds: 2,
  sloTtft: 2000,
  sloTpot: 100,
} satisfies SimulateOptions;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-simulate-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function simulate(options: SimulateOptions): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const streams = { out: { write: (text: string) => (out += text) }, err: { write: (text: string) => (err += text) } };
  return { code: await runSimulate(options, streams), out, err };
}

describe('sluice simulate', () => {
  it('prints a row per policy with the interval below it, and writes every run as JSON', async () => {
    const json = join(folder, 'runs.json');
    const { code, out, err } = await simulate({ ...OPTIONS, json });
    expect([code, err]).toEqual([0, '']);
    const lines = out.trim().split('\n');
    expect(lines[0]).toContain('6 requests, 2 engines simulated as qwen3-32b-tp2-h100, 2 seeds');
    expect(lines[2]).toMatch(/^policy +TTFT ms +p50 +p90 +p99 +p99.9 +TPOT ms +E2E s +cached %/);
    expect(lines.slice(3).map((line) => line.split(' ')[0])).toEqual(['expected-latency', '', 'round-robin', '']);
    expect(lines[4]).toMatch(/^ +±\d+/);

    const report = JSON.parse(await readFile(json, 'utf8')) as Record<string, unknown> & { runs: object[] };
    expect(Object.keys(report)).toEqual(['trace', 'engines', 'profile', 'runs']);
    expect(report).toMatchObject({ trace: OPTIONS.trace, engines: 2, profile: OPTIONS.profile });
    expect(report.runs.map((run) => Object.keys(run).join())).toEqual(
      Array(4).fill(
        'policy,seed,requests,failed,ttftMs,tpotMs,e2eMs,outputTokensPerS,cachedTokenShare,imbalance,goodput',
      ),
    );
    expect(report.runs[1]).toMatchObject({ policy: 'expected-latency', seed: 2, requests: 6, failed: 0 });
    const { ttftMs } = report.runs[0] as { ttftMs: Record<string, number> };
    expect(Object.keys(ttftMs)).toEqual(['mean', 'p50', 'p90', 'p99', 'p999']);
    expect(ttftMs['p99']).toBeGreaterThanOrEqual(ttftMs['p50']!);
    expect((await simulate({ ...OPTIONS, json })).out).toBe(out);
  });

  it('plays a trace faster, and only as far as it is told', async () => {
    const one = await simulate({ ...OPTIONS, limit: 1, speed: 10, seeds: 1, policy: ['random'] });
    expect(one.out).toContain('at 10 times its speed: 1 request,');
    expect(one.out).not.toContain('±');
  });

  it('makes up a workload', async () => {
    const { trace: _, ...rest } = OPTIONS;
    const made = await simulate({ ...rest, workload: 'reasoning', qps: 0.05, seeds: 1, policy: ['p2c'] });
    expect(made.code).toBe(0);
    expect(made.out).toMatch(/^reasoning at 0.05 QPS: \d+ requests/);
  });

  it('fails with file and reason where a file cannot be read or written', async () => {
    const missing = join(folder, 'missing.jsonl');
    expect(await simulate({ ...OPTIONS, trace: missing })).toMatchObject({
      code: 1,
      out: '',
      err: `sluice simulate: ${missing}: ENOENT: no such file or directory, open '${missing}'\n`,
    });
    const nowhere = join(folder, 'no/folder/runs.json');
    const refused = await simulate({ ...OPTIONS, json: nowhere });
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain(`--json ${nowhere}: ENOENT`);
  });
});
