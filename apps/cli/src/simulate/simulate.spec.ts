import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sampleTrace } from '@sluice/traces/testing';
import type { SimulateOptions } from './options.ts';
import { runSimulate } from './simulate.ts';

const OPTIONS = {
  trace: sampleTrace('mooncake.jsonl'),
  format: 'auto',
  speed: [1],
  qps: [5],
  arrivals: 1,
  duration: 400,
  engines: [{ count: 2, profile: null, speed: 1 }],
  profile: 'qwen3-32b-tp2-h100',
  policy: ['expected-latency', 'round-robin'],
  seeds: 2,
  latency: 'exact',
  eventLag: 10,
  poll: 50,
  lostEvents: 0,
  routers: { count: 1, shared: 'ledgers' },
  kill: [],
  jitter: 0,
  sloTtft: 2000,
  sloTpot: 100,
  jobs: 1,
  columns: 'auto',
} satisfies SimulateOptions;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-simulate-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function simulate(options: SimulateOptions): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await runSimulate(options, {
    out: { write: (text: string) => (out += text) },
    err: { write: (text: string) => (err += text) },
    colour: false,
    version: '1.2.3',
    node: 'v24.0.0',
    argv: ['simulate', '--trace', "it's here.jsonl"],
  });
  return { code, out, err };
}

describe('sluice simulate', () => {
  it('prints a row per policy with the interval below it, and writes every run as JSON', async () => {
    const json = join(folder, 'runs.json');
    const { code, out, err } = await simulate({ ...OPTIONS, json });
    expect([code, err]).toEqual([0, '']);
    const lines = out.trim().split('\n');
    expect(lines[0]).toContain('6 requests, 2 engines simulated as qwen3-32b-tp2-h100, 2 seeds');
    expect(lines[2]).toMatch(/^ +TTFT ms +TPOT ms +E2E s +good +out +cached/);
    expect(lines[3]).toMatch(/^policy +mean +p50 +p90 +p99 +p99.9 +mean/);
    expect(lines.slice(4, 8).map((line) => line.split(' ')[0])).toEqual(['expected-latency', '', 'round-robin', '']);
    expect(lines[5]).toMatch(/^ +±\d+/);
    expect((await simulate({ ...OPTIONS, json })).out).toBe(out);

    const report = JSON.parse(await readFile(json, 'utf8')) as Record<string, unknown> & { runs: object[] };
    expect(Object.keys(report).slice(0, 4)).toEqual(['trace', 'engines', 'profile', 'runs']);
    expect(report).toMatchObject({ trace: OPTIONS.trace, engines: 2, profile: OPTIONS.profile, sluice: '1.2.3' });
    expect(report['command']).toBe("npx sluice simulate --trace 'it'\\''s here.jsonl'");
    expect(report.runs.map((run) => Object.keys(run).slice(0, 11).join())).toEqual(
      Array(4).fill(
        'policy,seed,requests,failed,ttftMs,tpotMs,e2eMs,outputTokensPerS,cachedTokenShare,imbalance,goodput',
      ),
    );
    expect(report.runs[1]).toMatchObject({ policy: 'expected-latency', seed: 2, requests: 6, failed: 0, load: 1 });
    const { ttftMs } = report.runs[0] as { ttftMs: Record<string, number> };
    expect(Object.keys(ttftMs)).toEqual(['mean', 'p50', 'p90', 'p99', 'p999']);
    expect(ttftMs['p99']).toBeGreaterThanOrEqual(ttftMs['p50']!);
  });

  it('plays a trace faster, and only as far as it is told', async () => {
    const one = await simulate({ ...OPTIONS, limit: 1, speed: [10], seeds: 1, policy: ['random'] });
    expect(one.out).toContain('at 10 times its speed: 1 request,');
    expect(one.out).not.toContain('±');
  });

  it('makes up a workload, at several rates below each other', async () => {
    const { trace: _, ...rest } = OPTIONS;
    const made = await simulate({ ...rest, workload: 'reasoning', qps: [0.05, 0.2], seeds: 1, policy: ['p2c'] });
    expect(made.code).toBe(0);
    expect(made.out).toMatch(/^reasoning at 0.05, 0.2 QPS: 2 engines/);
    expect(made.out).toMatch(/\nat 0.05 QPS, \d+ requests\n[^]*\nat 0.2 QPS, \d+ requests\n/);
  });

  it('plays what-ifs: mixed engines, deaths, several routers, lost events, jitter', async () => {
    const json = join(folder, 'what-if.json');
    const whatIf = {
      ...OPTIONS,
      engines: [
        { count: 1, profile: null, speed: 1 },
        { count: 2, profile: 'llama-3.1-8b-h100', speed: 0.5 },
      ],
      kill: [{ engine: 0, kind: 'kill', atMs: 100 }],
      routers: { count: 2, shared: 'none' },
      lostEvents: 0.5,
      jitter: 0.1,
      latency: 'learned',
      json,
    } satisfies SimulateOptions;
    const { out } = await simulate(whatIf);
    expect(out).toContain(
      '3 engines simulated as 1 x qwen3-32b-tp2-h100 and 2 x llama-3.1-8b-h100 at 0.5 times its speed',
    );
    expect(JSON.parse(await readFile(json, 'utf8'))).toMatchObject({
      engines: 3,
      profile: 'qwen3-32b-tp2-h100,llama-3.1-8b-h100',
    });
    expect((await simulate({ ...whatIf, jitter: 0 })).out).not.toBe(out);
    expect((await simulate({ ...whatIf, kill: [] })).out).not.toBe(out);
  });

  it('refuses options that do not go together', async () => {
    const dead = { engine: 2, kind: 'kill', atMs: 0 } as const;
    expect(await simulate({ ...OPTIONS, kill: [dead] })).toEqual({
      code: 1,
      out: '',
      err: 'sluice simulate: --kill 2@...: there are 2 engines, numbered from 0\n',
    });
    expect((await simulate({ ...OPTIONS, kvTokens: 8 })).err).toContain('--kv-tokens 8 is less than one block');
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
    expect((await simulate({ ...OPTIONS, html: folder })).err).toContain(`--html ${folder}: it is a folder`);
    expect((await readdir(folder)).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});
