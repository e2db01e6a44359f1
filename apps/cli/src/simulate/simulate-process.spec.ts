import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sampleTrace } from '@sluice/traces/testing';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const NODE = ['--conditions=@sluice/source', '--no-warnings'];

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-simulate-process-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `sluice simulate`; a `signal` is sent a while after it started. */
function sluice(args: readonly string[], signal?: NodeJS.Signals): Promise<Ended> {
  const child = spawn(process.execPath, [...NODE, MAIN, 'simulate', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  if (signal !== undefined) setTimeout(() => child.kill(signal), 1500);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

const SHORT = [
  '--workload',
  'chat',
  '--qps',
  '2,4',
  '--duration',
  '20',
  '--warm-up',
  '5',
  '--engines',
  '3',
  '--seeds',
  '2',
];

describe('the command sluice simulate', () => {
  it('prints tables, and writes JSON and HTML that do not depend on the number of jobs', async () => {
    const files = (jobs: number): string[] => [join(folder, `${jobs}.json`), join(folder, `${jobs}.html`)];
    const run = (jobs: number): Promise<Ended> => {
      const [json, html] = files(jobs);
      return sluice([...SHORT, '--jobs', String(jobs), '--json', json!, '--html', html!]);
    };
    const [one, three] = [await run(1), await run(3)];
    expect(one).toMatchObject({ code: 0, err: '' });
    expect(three).toEqual(one);
    expect(one.out).toMatch(/^chat at 2, 4 QPS: 3 engines simulated as llama-3.1-8b-h100, 2 seeds, goodput at/);
    expect(one.out).toMatch(/\nat 2 QPS, \d+ requests\n[^]*expected-latency[^]*\nat 4 QPS, \d+ requests\n/);

    const texts = await Promise.all([...files(1), ...files(3)].map((file) => readFile(file, 'utf8')));
    const [json1, html1, json3, html3] = texts.map((text) => text.replaceAll(/--jobs.*\.html/g, ''));
    expect(JSON.parse(json3!)).toEqual(JSON.parse(json1!));
    expect(html3).toBe(html1);
    const { runs } = JSON.parse(json1!) as { runs: { policy: string; load: number; seed: number }[] };
    expect(runs.map(({ policy, load, seed }) => `${policy} ${load} ${seed}`).slice(0, 3)).toEqual([
      'expected-latency 2 1',
      'expected-latency 2 2',
      'weighted-3-2-2 2 1',
    ]);
    expect(runs).toHaveLength(2 * 3 * 2);
    expect(html1).toMatch(/^<!doctype html>[^]*<\/html>\n$/);
    expect((await readdir(folder)).sort()).toEqual(['1.html', '1.json', '3.html', '3.json']);
  });

  it('says file, line and reason of a bad trace, and writes nothing', async () => {
    const json = join(folder, 'never.json');
    const trace = sampleTrace('mooncake.jsonl');
    const { code, out, err } = await sluice(['--trace', trace, '--format', 'azure', '--json', json]);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^sluice simulate: .*mooncake.jsonl:1: the header must be TIMESTAMP/);
    expect(await readdir(folder)).not.toContain('never.json');
  });

  it('leaves no files behind when it is interrupted', async () => {
    const [json, html] = [join(folder, 'cut.json'), join(folder, 'cut.html')];
    const long = ['--workload', 'b2b', '--qps', '8', '--seeds', '50', '--jobs', '2', '--json', json, '--html', html];
    const { code, out } = await sluice(long, 'SIGINT');
    expect([code, out]).toEqual([null, '']);
    expect((await readdir(folder)).filter((name) => name.includes('cut'))).toEqual([]);
  });
});
