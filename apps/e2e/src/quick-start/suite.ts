import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type Child, freePorts } from '@sluice/process';
import { post, sseEvents, syntheticText } from '@sluice/testkit';
import type { Ended } from '../cli.ts';
import { commandsHere, interrupted, PAGE_MODEL, pageCommands, type Surroundings, typed, typedToStay } from './page.ts';

/** Engines for the page, that serve its model, and how to stop them. */
export interface PageEngines {
  readonly urls: readonly [string, string];
  readonly tokenizer: string;
  stop(): Promise<void>;
}

export interface QuickStartOptions {
  /** Starts engines as the page's own command for one of them says. */
  startEngines(command: string): Promise<PageEngines>;
  readonly env: Surroundings['env'];
  /** Tokens of prompts that are new, and reasons that may be the largest part of what a request of a flood of them waits for. */
  readonly flood: { readonly promptTokens: number; readonly reasons: RegExp };
  /** Told what was seen. */
  say(title: string, ...lines: readonly string[]): void;
}

const FLOOD_REQUESTS = 16;

/** A block of the page: how it begins to be told from the others, and the name of its check. */
const BLOCKS = {
  engines: /^vllm serve /,
  tokenizer: /^hf download /,
  doctor: /^npm install\nnpm run sluice -- doctor /,
  up: /^OTEL_TRACES_SAMPLER=always_on npm run sluice -- up /,
  request: /^curl -N .*"stream":true/s,
  fleet: /^npx sluice workers\nnpx sluice status\n$/,
  prefix: /^numbers=.*npx sluice explain last\n$/s,
  load: /^npx sluice bench /,
  reason: /^npx sluice requests\nnpx sluice explain slowest\nnpx sluice trace slowest\n$/,
  sample: /^npx sluice config set ROUTER_TRACE_SAMPLE=0\.1\n$/,
};
type Block = keyof typeof BLOCKS;

/** Follows docs/quick-start.md from its first command to its last, and checks after each what the page promises of it. */
export function quickStartSuite({ startEngines, env, flood, say }: QuickStartOptions): void {
  let engines: PageEngines | null = null;
  let sluice: Child | null = null;
  let around: Surroundings;
  const blocks = new Map<Block, string>();

  beforeAll(async () => {
    const names = Object.keys(BLOCKS) as Block[];
    const commands = await pageCommands();
    names.forEach((name, i) => blocks.set(name, commands[i] ?? ''));
    for (const name of names) expect(blocks.get(name)).toMatch(BLOCKS[name]);
    expect(commands).toHaveLength(names.length);
    engines = await startEngines(blocks.get('engines')!);
    const [port, adminPort] = (await freePorts(2)) as [number, number];
    around = { engines: engines.urls, tokenizer: engines.tokenizer, port, adminPort, env };
  }, 2_400_000);

  afterAll(async () => {
    if (sluice !== null) await interrupted(sluice);
    await engines?.stop();
  }, 120_000);

  const command = (name: Block): string => commandsHere(blocks.get(name)!, around);
  const type = async (name: Block): Promise<string> => succeeded(await typed(command(name), around));
  const sluiceSays = async (...args: string[]): Promise<string> =>
    succeeded(await typed(`npx sluice ${args.join(' ')}`, around));

  it('the doctor finds nothing', async () => {
    expect(await type('doctor')).toMatch(/\nNothing is wrong\.\n$/);
  }, 300_000);

  it('Sluice starts, and says where it is', async () => {
    sluice = await typedToStay(command('up'), around);
    expect(sluice.outputTail).toContain(`http://127.0.0.1:${around.port}/v1`);
    expect(sluice.outputTail).toContain(`http://127.0.0.1:${around.adminPort}`);
  }, 120_000);

  it('a request is streamed', async () => {
    const events = sseEvents(await type('request')) as { choices?: { delta?: { content?: string } }[] }[];
    expect(events.map(({ choices }) => choices?.[0]?.delta?.content ?? '').join('').length).toBeGreaterThan(0);
  }, 300_000);

  it('both engines are up and followed, and every service is ready', async () => {
    const text = await type('fleet');
    expect(text.match(/^engine-\d +up .* live /gm)).toHaveLength(2);
    const services = ['router', 'kv-index', 'event-bridge', 'latency-predictor'];
    for (const service of services) expect(text).toContain(`${service}: ready\n`);
  }, 120_000);

  it('the same long prompt goes where it is cached', async () => {
    const text = await type('prefix');
    const workers = [...text.matchAll(/^x-sluice-worker: (\S+)\r?$/gm)].map(([, worker]) => worker!);
    expect(workers).toHaveLength(2);
    expect(workers[1]).toBe(workers[0]);
    const [, prompt, cached, on] = /^prompt +([\d,]+) tokens: ([\d,]+) cached on (\S+),/m.exec(text) ?? [];
    expect(on).toBe(workers[0]);
    expect(numberOf(cached)).toBeGreaterThan(0.9 * numberOf(prompt));
    const [, predicted, delivered] = /^cached tokens +([\d,]+) +([\d,]+) +0$/m.exec(text) ?? [];
    expect([predicted, delivered]).toEqual([cached, cached]);
    say('The same long prompt twice', `${cached} of ${prompt} tokens cached the second time, predicted and delivered`);
  }, 300_000);

  it('load is served, the slowest request is found, and why it was slow', async () => {
    const load = await type('load');
    expect(load).toMatch(/^requests +(\d+) in .*: \1 completed .* 0 failed$/m);
    const text = await type('reason');
    const [, slowest] = /\nWhy: sluice explain (\S+)\n/.exec(text) ?? [];
    expect(text).toContain(`\ndecision ${slowest}\n`);
    expect(text).toContain(`\nwhy this worker: sluice explain ${slowest}\n`);
    const { parts, most } = reasonIn(text);
    const [{ ttftMs, id }] = (await byTtft()) as [Listed];
    expect(id).toBe(slowest);
    // Each part is shown with three digits.
    expect(Math.abs(parts.reduce((sum, ms) => sum + ms, 0) / ttftMs - 1)).toBeLessThan(0.02);
    say(
      'The slowest request under load',
      ...load.split('\n').filter((line) => line.startsWith('requests ')),
      `slowest ${ttftMs.toFixed(0)} ms to the first token; most of it: ${most}`,
    );
  }, 400_000);

  it('a setting is changed while it runs', async () => {
    await type('sample');
    expect(await sluiceSays('config', 'get', 'ROUTER_TRACE_SAMPLE')).toMatch(/\b0\.1\b/);
  }, 120_000);

  it('requests of a flood waited for those before them', async () => {
    const chats = Array.from({ length: FLOOD_REQUESTS }, (_, i) => ({
      model: PAGE_MODEL,
      stream: true,
      max_tokens: 4,
      messages: [{ role: 'user', content: `${i}: ${syntheticText(900 + i, flood.promptTokens)}` }],
    }));
    const answers = await Promise.all(
      chats.map((chat) => post(`http://127.0.0.1:${around.port}/v1/chat/completions`, chat)),
    );
    expect(answers.every(({ complete }) => complete)).toBe(true);
    const ids = new Set(answers.map(({ headers }) => headers.get('x-sluice-decision-id')));
    const { id, ttftMs } = (await byTtft()).find((each) => ids.has(each.id))!;
    const { most } = reasonIn(await sluiceSays('explain', id));
    expect(most).toMatch(flood.reasons);
    say(
      `${FLOOD_REQUESTS} new prompts of ${flood.promptTokens} tokens at once`,
      `slowest ${ttftMs.toFixed(0)} ms to the first token; most of it: ${most}`,
    );
  }, 400_000);

  async function byTtft(): Promise<Listed[]> {
    const json = await sluiceSays('requests', '--limit', '1000', '--json');
    return (JSON.parse(json) as { requests: Listed[] }).requests;
  }
}

interface Listed {
  readonly id: string;
  readonly ttftMs: number;
}

function succeeded({ code, out, err }: Ended): string {
  if (code !== 0) throw new Error(`exit code ${code}\n${err}\n${out}`);
  return out;
}

/** What `sluice explain` says of the time to the first token: its parts in ms, and what most of it was. */
function reasonIn(text: string): { readonly parts: number[]; readonly most: string } {
  const [, section] =
    /\nWhere the time to its first token went.*?\n(.*?Most of it, .*?)(?:\n\n|\ntrace |$)/s.exec(text) ?? [];
  expect(section).toBeDefined();
  const [rows, most] = section!.split('Most of it, ') as [string, string];
  const parts = [...rows.matchAll(/ {2}(-?[\d,.]+)(?: +█*)?$/gm)].map(([, ms]) => numberOf(ms));
  return { parts, most: most.replace(/\s+/g, ' ').trim() };
}

const numberOf = (text: string | undefined): number => Number(text?.replaceAll(',', ''));
