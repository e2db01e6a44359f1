import { fileURLToPath } from 'node:url';
import { Child, freePorts } from '@sluice/process';

type Environment = Readonly<Record<string, string | undefined>>;
type OnLine = (name: string, line: string, stream: 'stdout' | 'stderr') => void;

/** File inside the folder of an app of this repository. */
export const appFile = (app: string, file: string): string =>
  fileURLToPath(new URL(`../../../${app}/${file}`, import.meta.url));

/** Starts an app of this repository on the Node that runs this process. */
export function startApp(name: string, app: string, args: readonly string[], env: Environment, onLine: OnLine): Child {
  return new Child({
    name,
    command: process.execPath,
    args: ['--enable-source-maps', appFile(app, 'dist/main.js'), ...args],
    env,
    onLine,
  });
}

export interface SimulatedEngines {
  readonly children: readonly Child[];
  readonly urls: readonly string[];
}

/** Starts `count` simulated engines on free ports of 127.0.0.1 with KV events and replay; resolves when all of them answer. */
export async function startSimulatedEngines(
  options: { count: number; model: string; profile: string; speed: number },
  env: Environment,
  onLine: OnLine,
): Promise<SimulatedEngines> {
  const ports = await freePorts(options.count * 3);
  const children: Child[] = [];
  const urls: string[] = [];
  for (let i = 0; i < options.count; i++) {
    const [http, events, replay] = ports.slice(i * 3, i * 3 + 3) as [number, number, number];
    const args = ['--port', String(http), '--model', options.model, '--profile', options.profile];
    args.push('--speed', String(options.speed), '--seed', String(i + 1), '--kv-events-topic', 'kv-events');
    args.push('--kv-events', `bind:tcp://127.0.0.1:${events}`, '--kv-events-replay', `tcp://127.0.0.1:${replay}`);
    children.push(startApp(`sim-${i + 1}`, 'engine-sim', args, env, onLine));
    urls.push(`http://127.0.0.1:${http}`);
  }
  try {
    await Promise.all(urls.map((url, i) => untilAnswers(`${url}/health`, children[i]!, 30_000)));
  } catch (error) {
    await Promise.all(children.map((child) => child.stop(2000)));
    throw error;
  }
  return { children, urls };
}

/** Resolves when `url` answers 200; rejects when the child ends or time is up. */
export async function untilAnswers(url: string, child: Child, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let last = 'no answer';
  while (performance.now() < deadline) {
    if (child.exit !== null) {
      throw new Error(
        `${child.name} ended (${child.exit.signal ?? `code ${child.exit.code}`}) at its start:\n${child.outputTail}`,
      );
    }
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
      if (response.ok) return;
      last = `${response.status} ${(await response.text()).slice(0, 400)}`;
    } catch (error) {
      last = (error as Error).message;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${child.name} is not ready after ${timeoutMs / 1000} s: ${url} says ${last}\n${child.outputTail}`);
}
