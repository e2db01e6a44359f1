// Closed-loop load with prompts that share prefixes, and CPU of a process as the operating system counts it.
import { readdirSync, readFileSync } from 'node:fs';
import { Pool } from 'undici';

/** A kind of prompt: `prefixes` texts of `prefixBytes`, each followed by a tail that never repeats. */
export interface Shape {
  readonly name: string;
  readonly bodyBytes: number;
  readonly prefixes: number;
  readonly prefixBytes: number;
  readonly streamed: boolean;
  readonly connections: number;
}

export interface Measured {
  readonly requests: number;
  readonly seconds: number;
  readonly cpuMsPerRequest: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const WORDS =
  'the quick brown fox jumps over a lazy dog while seven wizards quietly vex bold pygmies near cold rivers'.split(' ');

/** The same text for the same seed. */
export function text(seed: number, bytes: number): string {
  let state = seed >>> 0 || 1;
  let out = '';
  while (out.length < bytes) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out += `${WORDS[(state >>> 8) & 15]}${state >>> 28 === 0 ? state % 1000 : ''} `;
  }
  return out.slice(0, bytes);
}

/** Bodies on demand; the prefix is serialised once. */
export function bodies(shape: Shape): () => Buffer {
  const heads = Array.from({ length: shape.prefixes }, (_, i) => {
    const head = {
      model: 'bench',
      stream: shape.streamed,
      max_tokens: 128,
      messages: [{ role: 'system', content: text(i + 1, shape.prefixBytes) }],
    };
    return JSON.stringify(head).slice(0, -2);
  });
  let sent = 0;
  return () => {
    const tail = JSON.stringify({ role: 'user', content: text(1_000_000 + sent, shape.bodyBytes - shape.prefixBytes) });
    return Buffer.from(`${heads[sent++ % heads.length]},${tail}]}`);
  };
}

const TICKS_PER_SECOND = 100;

/** Processor time of a process so far, in milliseconds. */
export function cpuMs(pid: number): number {
  try {
    // the scheduler's own count, in nanoseconds, of each thread
    const tasks = readdirSync(`/proc/${pid}/task`);
    return tasks.reduce(
      (ms, task) => ms + parseInt(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1')) / 1e6,
      0,
    );
  } catch {
    return tickedCpuMs(pid);
  }
}

/** The same where the kernel keeps no such count, to 10 ms. */
function tickedCpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1000;
}

/** Requests of a shape to one router, as many at a time as it has connections. Every answer is checked. */
export class Load {
  /** Of the answers since somebody emptied it. */
  readonly latenciesMs: number[] = [];
  readonly #shape: Shape;
  readonly #pool: Pool;
  readonly #next: () => Buffer;
  readonly #headers: Record<string, string>;

  constructor(url: string, shape: Shape) {
    this.#shape = shape;
    this.#pool = new Pool(url, { connections: shape.connections, pipelining: 1 });
    this.#next = bodies(shape);
    this.#headers = { 'content-type': 'application/json', ...(shape.streamed && { 'x-bench-sse': '1' }) };
  }

  /** Sends until it is enough, and waits for what is under way. */
  async run(enough: () => boolean, extraHeaders: Readonly<Record<string, string>> = {}): Promise<void> {
    const headers = { ...this.#headers, ...extraHeaders };
    const loop = async (): Promise<void> => {
      while (!enough()) await this.#one(headers);
    };
    await Promise.all(Array.from({ length: this.#shape.connections }, loop));
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #one(headers: Record<string, string>): Promise<void> {
    const { name, streamed } = this.#shape;
    const startedMs = performance.now();
    const request = { method: 'POST', path: '/v1/chat/completions', headers, body: this.#next() } as const;
    const answer = await this.#pool.request(request);
    const received = await answer.body.text();
    const complete = streamed
      ? received.endsWith('data: [DONE]\n\n') && received.split('\n\n').length === 130
      : received.endsWith('}');
    if (answer.statusCode !== 200 || !complete)
      throw new Error(`${name}: bad answer ${answer.statusCode}: ${received.slice(0, 200)}`);
    this.latenciesMs.push(performance.now() - startedMs);
  }
}

/** Runs the load for `seconds` and relates the CPU of process `pid` to the answers. */
export async function measure(url: string, pid: number, shape: Shape, seconds: number): Promise<Measured> {
  const load = new Load(url, shape);
  const { latenciesMs } = load;
  /** At least `count` answers and `forMs`; on a machine that is too slow for that, four times as long. */
  const run = (forMs: number, count: number): Promise<void> => {
    const startMs = performance.now();
    return load.run(() => {
      const elapsedMs = performance.now() - startMs;
      return elapsedMs >= 4 * forMs || (elapsedMs >= forMs && latenciesMs.length >= count);
    });
  };
  await run(seconds * 500, 300); // compiled code, full pools, known prefixes
  latenciesMs.length = 0;
  const startedMs = performance.now();
  const cpuBefore = cpuMs(pid);
  await run(seconds * 1000, shape.streamed ? 100 : 500);
  const cpu = cpuMs(pid) - cpuBefore;
  const elapsed = (performance.now() - startedMs) / 1000;
  await load.close();
  latenciesMs.sort((a, b) => a - b);
  const at = (share: number): number => latenciesMs[Math.floor(share * (latenciesMs.length - 1))]!;
  return {
    requests: latenciesMs.length,
    seconds: elapsed,
    cpuMsPerRequest: cpu / latenciesMs.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

/** Share of one core that the process takes with nothing to do. */
export async function idleShare(pid: number, seconds: number): Promise<number> {
  const before = cpuMs(pid);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return (cpuMs(pid) - before) / (seconds * 1000);
}
