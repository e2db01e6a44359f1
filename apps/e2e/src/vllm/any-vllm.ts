import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@sluice/process';
import type { Kit } from './kit.ts';

const run = promisify(execFile);

/** A real vLLM that was started in any way that the kit knows. */
export interface AnyVllm {
  readonly url: string;
  /** As a subscriber sees them; null where it publishes none. */
  readonly kvEvents: { readonly endpoint: string; readonly replay: string | null; readonly topic: string } | null;
  version(): Promise<string>;
  stop(): Promise<void>;
}

interface Started {
  readonly url: string;
  readonly kvEvents: { readonly endpoints: readonly string[]; readonly topic: string } | null;
  readonly replay: readonly string[] | null;
}

/** Starts one engine with options of the kit, and behind `--` flags of vLLM itself. */
export async function startVllm(kit: Kit, name: string, options: readonly string[]): Promise<AnyVllm> {
  const own = `${name}-${process.pid}`;
  const args = [kit.installation, own, '--port', String(await freePort()), '--timeout', '600', ...options];
  const stop = async (): Promise<void> => {
    await run(join(kit.scripts, 'stop.sh'), [kit.installation, own]).catch(() => undefined);
  };
  try {
    const { stdout } = await run(join(kit.scripts, 'start-vllm.sh'), args);
    const { url, kvEvents, replay } = JSON.parse(stdout.trim().split('\n').at(-1)!) as Started;
    return {
      url,
      kvEvents:
        kvEvents === null
          ? null
          : { endpoint: kvEvents.endpoints[0]!, replay: replay?.[0] ?? null, topic: kvEvents.topic },
      version: async () => ((await (await fetch(`${url}/version`)).json()) as { version: string }).version,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
