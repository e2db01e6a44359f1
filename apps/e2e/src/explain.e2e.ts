import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { post, repoRoot, type Sim, Sluice, syntheticText, waitFor } from '@sluice/testkit';
import { chatUrl, env, MODEL, poolOf, startSims, stopSims, sumMetric } from './setup.ts';

interface Record {
  readonly id: string;
  readonly worker: string;
  readonly candidates: readonly { readonly worker: string; readonly terms: { readonly ttft: number } }[];
  readonly shadows: readonly { readonly policy: string; readonly agrees: boolean; readonly ttftRegretMs: number }[];
  readonly outcome: { readonly result: string; readonly ttftErrorMs: number; readonly ttftRegretMs: number } | null;
}
const SHADOWS = ['weighted-3-2-2', 'least-request'];

describe('why this worker, asked from the command line', () => {
  let sims: Sim[] = [];
  let sluice: Sluice;
  let admin = '';
  const system = syntheticText(77, 1500);

  beforeAll(async () => {
    sims = await startSims(2, { profile: 'llama-3.1-8b-h100' });
    const shadow = { ROUTER_SHADOW_POLICIES: SHADOWS.join(','), ROUTER_SHADOW_SAMPLE: '1' };
    sluice = await Sluice.start({ pools: [poolOf(sims)], services: false, env: { ...env, ...shadow } });
    admin = new URL(sluice.admin('router')).origin;
  }, 60_000);

  afterAll(async () => {
    await sluice?.stop();
    await stopSims(sims);
  }, 60_000);

  /** Sends a streamed request; returns the id of its decision and its worker. */
  async function ask(question: string): Promise<{ id: string; worker: string }> {
    const messages = [
      { role: 'system', content: system },
      { role: 'user', content: question },
    ];
    const usage = { stream: true, stream_options: { include_usage: true } };
    const answer = await post(chatUrl(sluice), { model: MODEL, max_tokens: 4, messages, ...usage });
    expect(answer.complete).toBe(true);
    return { id: answer.headers.get('x-sluice-decision-id')!, worker: answer.headers.get('x-sluice-worker')! };
  }

  async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const main = join(repoRoot, 'apps/cli/dist/main.js');
    const ended = promisify(execFile)(process.execPath, [main, ...args], { env: { ...process.env, NO_COLOR: '1' } });
    return ended.then(
      ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
        code,
        out: stdout,
        err: stderr,
      }),
    );
  }

  it('explain last is the decision that the answer named, with its terms, its shadows and what happened', async () => {
    for (let i = 0; i < 4; i++) await ask(`question ${i}`);
    const { id, worker } = await ask('the last question');
    const asked = await cli('explain', 'last', '--json', '--admin', admin);
    expect([asked.code, asked.err]).toEqual([0, '']);
    const record = JSON.parse(asked.out) as Record;
    expect(record).toMatchObject({ id, worker, outcome: { result: 'completed' } });
    expect(record.candidates.map((each) => each.worker).sort()).toEqual(['sim-1', 'sim-2']);
    expect(record.shadows.map(({ policy }) => policy)).toEqual(SHADOWS);
    expect(record.outcome!.ttftRegretMs).toBeGreaterThanOrEqual(record.outcome!.ttftErrorMs);

    const page = (await cli('explain', id, '--admin', admin)).out;
    expect(page).toMatch(new RegExp(`^decision ${id}\n`));
    expect(page).toMatch(new RegExp(`\n> ${worker} .*chosen`));
    expect(page).toMatch(/\nWhat happened: completed 200\n/);
    expect(Math.max(...page.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);

    const urls = [sluice.admin('router')];
    expect(await sumMetric(urls, 'sluice_router_shadow_decisions_total')).toBe(5 * SHADOWS.length);
    expect(await sumMetric(urls, 'sluice_router_ttft_regret_seconds_count')).toBe(5);
    const { pools } = await sluice.getAdmin<{ pools: { shadows: { policy: string; decisions: number }[] }[] }>(
      'router',
      '/shadow',
    );
    expect(pools[0]!.shadows.map(({ policy, decisions }) => [policy, decisions])).toEqual(
      SHADOWS.map((policy) => [policy, 5]),
    );
  });

  it('workers and status show the fleet and its services', async () => {
    await waitFor('the index to have followed', 5000, async () => {
      const { out } = await cli('workers', '--json', '--admin', admin);
      const { workers } = JSON.parse(out) as { workers: { worker: string; index: { blocks: number } }[] };
      expect(workers.map(({ worker }) => worker)).toEqual(['sim-1', 'sim-2']);
      return workers.some(({ index }) => index.blocks > 50);
    });
    expect((await cli('workers', '--admin', admin)).out).toMatch(/^worker .*\nsim-1 +up .* live +\d+ ms\nsim-2 +up /);
    const status = await cli('status', '--admin', admin);
    expect(status.code).toBe(0);
    for (const service of ['router', 'kv-index', 'event-bridge', 'latency-predictor']) {
      expect(status.out).toContain(`${service}: ready\n`);
    }
  });

  it('says what is wrong in one line, with exit code 1', async () => {
    const unknown = await cli('explain', 'ffffffff-0', '--admin', admin);
    expect([unknown.code, unknown.out]).toEqual([1, '']);
    expect(unknown.err).toMatch(/^sluice explain: .* has no decision 'ffffffff-0': its ids begin with \w{8}-: .*\n$/);
    const nobody = await cli('status', '--admin', sluice.dataUrl);
    expect([nobody.code, nobody.out]).toEqual([1, expect.stringMatching(/does not speak\s+as an admin\s+API/)]);
    expect((await cli('explain')).code).toBe(2);
  });
});
