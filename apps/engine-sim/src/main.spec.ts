import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
let child: ChildProcess | undefined;
afterEach(() => {
  child?.kill('SIGKILL');
});

/** Starts the program from its sources and collects what it prints. */
function start(...argv: string[]): { process: ChildProcess; output: () => string } {
  const args = ['--no-warnings', '--conditions=@sluice/source', MAIN, ...argv];
  child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let output = '';
  child.stdout!.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr!.on('data', (data: Buffer) => (output += data.toString()));
  return { process: child, output: () => output };
}

interface Ready {
  name: string;
  url: string;
  kvEvents: string[];
  replay: string[];
  pid: number;
  speed: number;
}

async function ready(started: ReturnType<typeof start>): Promise<Ready> {
  while (!started.output().includes('"ready":true')) await once(started.process.stdout!, 'data');
  return JSON.parse(/^\{.*\}$/m.exec(started.output())![0]) as Ready;
}

describe('engine-sim', () => {
  it('says in a line of JSON where it is, serves, and ends on SIGTERM', async () => {
    const started = start('--port', '0', '--speed', '10', '--kv-events', 'tcp://127.0.0.1:*');
    const { name, url, kvEvents, replay, pid, speed } = await ready(started);
    expect({ name, pid, replay, speed }).toEqual({ name: 'sim', pid: started.process.pid, replay: [null], speed: 10 });
    expect(kvEvents[0]).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
    expect(started.output()).toContain('time runs 10 x');
    expect((await fetch(`${url}/health`)).status).toBe(200);
    started.process.kill('SIGTERM');
    expect(await once(started.process, 'exit')).toEqual([0, null]);
  });

  it('ends when the process that started it is gone', async () => {
    const started = start('--port', '0');
    await ready(started);
    started.process.disconnect();
    expect(await once(started.process, 'exit')).toEqual([0, null]);
  });

  it('reports wrong arguments and a taken port in one line each, and fails', async () => {
    const wrong = start('--port', 'x', '--wibble');
    expect(await once(wrong.process, 'exit')).toEqual([1, null]);
    expect(wrong.output().trim().split('\n')).toEqual([
      "engine-sim: unknown argument '--wibble'",
      "engine-sim: --port must be a port, got 'x'",
    ]);
    const first = start('--port', '0');
    const holder = child!;
    const { url } = await ready(first);
    const second = start('--port', new URL(url).port);
    expect(await once(second.process, 'exit')).toEqual([1, null]);
    expect(second.output()).toContain('EADDRINUSE');
    holder.kill('SIGKILL');
  });
});
