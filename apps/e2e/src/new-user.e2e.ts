import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { Child, freePort } from '@sluice/process';
import { repoRoot, waitFor } from '@sluice/testkit';
import { env } from './setup.ts';

const TICKS_PER_SECOND = 100; // USER_HZ on every Linux

/** Processes below `root`, itself included, from /proc. */
async function family(root: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => null);
    if (stat !== null) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const members = [root];
  for (let i = 0; i < members.length; i++) {
    for (const [pid, parent] of parents) if (parent === members[i]) members.push(pid);
  }
  return members;
}

async function memoryMb(pids: readonly number[]): Promise<number> {
  let kb = 0;
  for (const pid of pids) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    kb += Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
  }
  return kb / 1024;
}

async function cpuSeconds(pids: readonly number[]): Promise<number> {
  let ticks = 0;
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
    if (stat === null) continue;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}

async function startAsUser(port: number): Promise<Child> {
  const ports = { SLUICE_PORT: String(port), SLUICE_ADMIN_PORT: String(await freePort()) };
  const child = new Child({
    name: 'npm start',
    command: 'npm',
    args: ['start'],
    cwd: repoRoot,
    env: { ...env, ...ports },
  });
  await child.waitForLine(/^ready /, 60_000);
  return child;
}

describe('npm start, as a new user', () => {
  let start: Child;
  let client: OpenAI;
  let startedMs = 0;
  let port = 0;
  const model = 'sim';

  beforeAll(async () => {
    port = await freePort();
    startedMs = performance.now();
    start = await startAsUser(port);
    client = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none', maxRetries: 0 });
  }, 90_000);

  afterAll(async () => {
    await start.stop();
  }, 30_000);

  it('streams a first answer to the openai package within 60 s of the start', async () => {
    const stream = await client.chat.completions.create({
      model,
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 16,
      messages: [{ role: 'user', content: 'What is a prefix cache?' }],
    });
    let text = '';
    let firstMs: number | null = null;
    let finish: string | null = null;
    let tokens = 0;
    for await (const chunk of stream) {
      const choice = chunk.choices[0];
      if (choice?.delta.content) {
        firstMs ??= performance.now() - startedMs;
        text += choice.delta.content;
      }
      finish = choice?.finish_reason ?? finish;
      tokens = chunk.usage?.completion_tokens ?? tokens;
    }
    console.log(`first streamed token ${Math.round(firstMs!)} ms after npm start`);
    expect(firstMs!).toBeLessThan(60_000);
    expect(text.length).toBeGreaterThan(0);
    expect(finish).toBe('length');
    expect(tokens).toBe(16);
  });

  it('answers without streaming, lists models, and says where a request went', async () => {
    expect((await client.models.list()).data.map((m) => m.id)).toContain(model);
    const { data, response } = await client.chat.completions
      .create({ model, max_tokens: 5, messages: [{ role: 'user', content: 'hello' }] })
      .withResponse();
    expect(data.usage?.completion_tokens).toBe(5);
    expect(data.choices[0]!.message.role).toBe('assistant');
    expect(response.headers.get('x-sluice-worker')).toMatch(/^sim-\d$/);
    expect(response.headers.get('x-sluice-decision-id')).toBeTruthy();
    const completion = await client.completions.create({ model, prompt: 'Once upon a time', max_tokens: 4 });
    expect(completion.choices[0]!.text.length).toBeGreaterThan(0);
  });

  it('passes tools and response formats through, and errors come as the package expects them', async () => {
    const tools: OpenAI.ChatCompletionTool[] = [
      {
        type: 'function',
        function: {
          name: 'weather',
          description: 'now',
          parameters: { type: 'object', properties: { city: { type: 'string' } } },
        },
      },
    ];
    const answer = await client.chat.completions.create({
      model,
      max_tokens: 4,
      tools,
      response_format: { type: 'json_object' },
      messages: [{ role: 'user', content: 'weather in Zürich? ☂️' }],
    });
    // The tools are in the prompt that the engine counted: the request reached it whole.
    expect(answer.usage!.prompt_tokens).toBeGreaterThan(60);
    await expect(
      client.chat.completions.create({ model: 'nope', messages: [{ role: 'user', content: 'x' }] }),
    ).rejects.toMatchObject({ status: 404 });
    await expect(
      client.chat.completions.create({ model, max_tokens: -1, messages: [{ role: 'user', content: 'x' }] }),
    ).rejects.toBeInstanceOf(OpenAI.BadRequestError);
  });

  it('idles below 800 MB and 5 % of a core with its four engines', async () => {
    if (process.platform !== 'linux') return;
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const pids = await family(start.pid!);
    const before = await cpuSeconds(pids);
    const seconds = 10;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const share = ((await cpuSeconds(pids)) - before) / seconds;
    const mb = await memoryMb(pids);
    console.log(
      `idle: ${pids.length} processes (npm included), ${Math.round(mb)} MB resident, ${(share * 100).toFixed(1)} % of a core`,
    );
    expect(mb).toBeLessThan(800);
    expect(share).toBeLessThan(0.05);
  }, 60_000);

  /** Resolves when none of the processes is left. */
  const untilGone = (pids: readonly number[]): Promise<unknown> =>
    waitFor('no process left', 5000, async () => {
      for (const pid of pids) {
        const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
        if (stat !== null && !stat.includes(') Z ')) return false;
      }
      return true;
    });

  it('Ctrl-C leaves no process behind', async () => {
    if (process.platform !== 'linux') return;
    const pids = await family(start.pid!);
    expect(pids.length).toBeGreaterThanOrEqual(6);
    // A terminal sends SIGINT to the whole foreground group: npm, its shell and the command line.
    process.kill(-start.pid!, 'SIGINT');
    await start.exited;
    await untilGone(pids);
  }, 40_000);

  it('nor does npm that is told to end and tells its shell alone', async () => {
    if (process.platform !== 'linux') return;
    const ended = await startAsUser(await freePort());
    const pids = await family(ended.pid!);
    process.kill(ended.pid!, 'SIGTERM');
    await ended.exited;
    await untilGone(pids);
  }, 90_000);

  it('nor does a command line that is killed outright', async () => {
    if (process.platform !== 'linux') return;
    const killed = await startAsUser(await freePort());
    const pids = await family(killed.pid!);
    for (const pid of pids.slice(0, 3)) process.kill(pid, 'SIGKILL'); // npm, its shell, the command line
    await killed.exited;
    await untilGone(pids);
  }, 90_000);
});
