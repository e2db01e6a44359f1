import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '@sluice/process';
import type { KvEventSource } from '@sluice/model';
import { repoRoot } from '@sluice/testkit';

const run = promisify(execFile);
const BLOCK_TOKENS = 32;

/** Scripts that install and start real vLLM engines on the CPU, and the folder of the installation. */
export interface Kit {
  readonly scripts: string;
  readonly installation: string;
  /** Tokenizer folder of the model that the engines serve. */
  readonly tokenizer: string;
}

export const MODEL = 'tiny';

type Environment = Readonly<Record<string, string | undefined>>;

/** Folder of the kit: `SLUICE_VLLM_KIT`, with `install.sh` and `start-vllm.sh`. */
const scriptsDir = (env: Environment): string => resolve(repoRoot, env['SLUICE_VLLM_KIT'] ?? '../shared/engines');

/** Null when the kit is there, else what to say when skipping. */
export const missingKit = (env: Environment): Promise<string | null> =>
  access(join(scriptsDir(env), 'start-vllm.sh')).then(
    () => null,
    () => `needs a vLLM kit in ${scriptsDir(env)}: set SLUICE_VLLM_KIT to a folder with install.sh and start-vllm.sh`,
  );

/** Installs the engines in `SLUICE_VLLM_DIR` where they are not yet (minutes, 3 GB). */
export async function openKit(env: Environment): Promise<Kit> {
  const scripts = scriptsDir(env);
  const installation = env['SLUICE_VLLM_DIR'] ?? join(tmpdir(), 'sluice-vllm');
  await run(join(scripts, 'install.sh'), [installation], { timeout: 1_800_000 });
  return { scripts, installation, tokenizer: join(installation, 'models/tiny') };
}

/** A real vLLM engine. */
export class VllmEngine {
  readonly id: string;
  readonly url: string;
  readonly events: KvEventSource;
  readonly #kit: Kit;
  readonly #name: string;
  readonly #arguments: readonly string[];
  #pid = 0;

  private constructor(kit: Kit, id: string, ports: readonly [number, number, number], blocks: number) {
    const [port, eventsPort, replayPort] = ports;
    this.#kit = kit;
    this.id = id;
    this.#name = `${id}-${process.pid}`;
    this.url = `http://127.0.0.1:${port}`;
    this.events = {
      mode: 'connect',
      endpoint: `tcp://127.0.0.1:${eventsPort}`,
      replayEndpoint: `tcp://127.0.0.1:${replayPort}`,
      topic: 'kv-events',
    };
    this.#arguments = [
      ...['--port', String(port), '--kv-events', `bind:${eventsPort}`, '--replay', String(replayPort)],
      ...['--blocks', String(blocks), '--', '--enable-auto-tool-choice', '--tool-call-parser', 'hermes'],
    ];
  }

  /** Starts `ids.length` engines together; the cache of each holds `cacheTokens` tokens. */
  static async startAll(kit: Kit, ids: readonly string[], cacheTokens: number): Promise<VllmEngine[]> {
    const ports = await freePorts(3 * ids.length);
    const engines = ids.map((id, i) => {
      const own = ports.slice(3 * i, 3 * i + 3) as [number, number, number];
      return new VllmEngine(kit, id, own, cacheTokens / BLOCK_TOKENS);
    });
    const started = await Promise.allSettled(engines.map((engine) => engine.start()));
    const failed = started.find((one) => one.status === 'rejected');
    if (failed === undefined) return engines;
    await Promise.all(engines.map((engine) => engine.stop()));
    throw failed.reason;
  }

  /** Its entry in a fleet file. */
  get entry(): object {
    const { mode, endpoint, replayEndpoint, topic } = this.events;
    return { id: this.id, url: this.url, kvEvents: { mode, endpoint, replay: replayEndpoint, topic } };
  }

  async start(): Promise<void> {
    const script = join(this.#kit.scripts, 'start-vllm.sh');
    const { stdout } = await run(script, [this.#kit.installation, this.#name, ...this.#arguments]);
    this.#pid = (JSON.parse(stdout.trim().split('\n').at(-1)!) as { pid: number }).pid;
  }

  /** SIGKILL to the server and its engine process, without any farewell. */
  kill(): void {
    process.kill(-this.#pid, 'SIGKILL');
  }

  /** Ends what is left of it, running or killed. */
  async stop(): Promise<void> {
    await run(join(this.#kit.scripts, 'stop.sh'), [this.#kit.installation, this.#name]).catch(() => undefined);
  }

  /** Forgets every cached block, and takes a step, with which the engine announces it in its events. */
  async resetPrefixCache(): Promise<void> {
    const reset = await fetch(`${this.url}/reset_prefix_cache`, { method: 'POST' });
    if (!reset.ok) throw new Error(`${this.id}: reset_prefix_cache answered ${reset.status}`);
    const step = await this.#post('/v1/completions', { model: MODEL, prompt: 'x', max_tokens: 1 });
    if (!step.ok) throw new Error(`${this.id}: the step after the reset answered ${step.status}`);
  }

  /** Token ids that the engine makes of a chat. */
  async tokenize(body: Readonly<Record<string, unknown>>): Promise<number[]> {
    const response = await this.#post('/tokenize', { model: MODEL, ...body });
    const answer = (await response.json()) as { tokens?: number[] };
    if (answer.tokens === undefined) throw new Error(`${this.id}: tokenize answered ${JSON.stringify(answer)}`);
    return answer.tokens;
  }

  async version(): Promise<string> {
    const { version } = (await (await fetch(`${this.url}/version`)).json()) as { version: string };
    return version;
  }

  #post(path: string, body: object): Promise<Response> {
    return fetch(this.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }
}
