import { describe, expect, it } from '@jest/globals';
import { EventEmitter } from 'node:events';
import { ConfigError, runMain } from './index.ts';
import type { ProcessHandle, RunningService } from './index.ts';

class FakeProcess extends EventEmitter implements ProcessHandle {
  readonly exits: number[] = [];
  text = '';
  readonly stderr = { write: (text: string) => void (this.text += text) };
  exit(code: number): void {
    this.exits.push(code);
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const service = (close: () => Promise<void>): RunningService => ({ url: 'http://x', close });

describe('runMain', () => {
  it('drains on a signal and exits with 0', async () => {
    const host = new FakeProcess();
    const drained = deferred();
    await runMain('router', async () => service(() => drained.promise), host);
    host.emit('SIGTERM');
    await turn();
    expect(host.exits).toEqual([]);
    drained.resolve();
    await turn();
    expect(host.exits).toEqual([0]);
  });

  it('exits at once on a second signal', async () => {
    const host = new FakeProcess();
    await runMain('router', async () => service(() => new Promise(() => undefined)), host);
    host.emit('SIGINT');
    host.emit('SIGTERM');
    expect(host.exits).toEqual([1]);
  });

  it('ends with its supervisor, and lets a drain go on that a signal began', async () => {
    const orphan = new FakeProcess();
    await runMain('router', async () => service(async () => undefined), orphan);
    orphan.emit('disconnect');
    await turn();
    expect(orphan.exits).toEqual([0]);

    const draining = new FakeProcess();
    await runMain('router', async () => service(() => new Promise(() => undefined)), draining);
    draining.emit('SIGTERM');
    draining.emit('disconnect');
    await turn();
    expect(draining.exits).toEqual([]);
  });

  it('obeys a signal that comes during the start', async () => {
    const host = new FakeProcess();
    const ready = deferred();
    let closed = false;
    const main = runMain(
      'router',
      async () => {
        await ready.promise;
        return service(async () => void (closed = true));
      },
      host,
    );
    host.emit('SIGTERM');
    expect(host.exits).toEqual([]);
    ready.resolve();
    await main;
    expect(closed).toBe(true);
    expect(host.exits).toEqual([0]);
  });

  it('prints every configuration error and exits with 1', async () => {
    const host = new FakeProcess();
    await runMain('router', async () => Promise.reject(new ConfigError(['A: is missing', 'B: is missing'])), host);
    expect(host.text).toBe('router: configuration:\n  A: is missing\n  B: is missing\n');
    expect(host.exits).toEqual([1]);
  });

  it('says what the system refused without a stack, and a bug with one', async () => {
    const refused = new FakeProcess();
    const taken = Object.assign(new Error('listen EADDRINUSE: 127.0.0.1:8080'), { code: 'EADDRINUSE' });
    await runMain('router', async () => Promise.reject(taken), refused);
    expect(refused.text).toBe('router: listen EADDRINUSE: 127.0.0.1:8080\n');
    const buggy = new FakeProcess();
    await runMain('router', async () => Promise.reject(new TypeError('x is not a function')), buggy);
    expect(buggy.text).toMatch(/TypeError: x is not a function\n +at /);
  });

  it('exits with 1 when the drain fails', async () => {
    const host = new FakeProcess();
    await runMain('router', async () => service(async () => Promise.reject(new Error('stuck'))), host);
    host.emit('SIGTERM');
    await turn();
    expect(host.exits).toEqual([1]);
    expect(host.text).toContain('stuck');
  });
});
