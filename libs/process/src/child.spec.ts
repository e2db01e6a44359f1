import { describe, expect, it } from '@jest/globals';
import { Child } from './child.ts';
import { freePorts } from './free-port.ts';
import { findProgram } from './program.ts';

const node = (script: string): Child =>
  new Child({ name: 'script', command: process.execPath, args: ['-e', script], env: process.env });

describe('Child', () => {
  it('finds a line that was printed before anyone waited for it', async () => {
    const child = node("console.log('ready on 7'); setInterval(() => {}, 1000)");
    expect(await child.waitForLine(/^ready/, 10_000)).toBe('ready on 7');
    expect(await child.waitForLine(/on \d/, 10_000)).toBe('ready on 7');
    await child.stop();
    expect(child.exit).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('says how a child ended, with its last output, instead of waiting for ever', async () => {
    const child = node("console.error('port in use'); process.exit(3)");
    await expect(child.waitForLine(/ready/, 10_000)).rejects.toThrow(/code 3[^]*port in use/);
  });

  it('kills a child that ignores SIGTERM', async () => {
    const child = node("process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)");
    await child.waitForLine(/up/, 10_000);
    expect(await child.stop(100)).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('reports a program that does not exist as an exit', async () => {
    const child = new Child({ name: 'ghost', command: '/nonexistent/ghost', args: [], env: {} });
    await expect(child.waitForLine(/ready/, 10_000)).rejects.toThrow(/ENOENT/);
  });

  it('closes its channel when the supervisor goes, so that a child can end itself', async () => {
    const supervisor = node(`
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, ['-e', "process.on('disconnect', () => process.exit()); console.log(process.pid)"],
        { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true });
      setInterval(() => {}, 1000);`);
    const pid = Number(await supervisor.waitForLine(/^\d+$/, 10_000));
    supervisor.signal('SIGKILL');
    await supervisor.exited;
    let alive = true;
    for (let i = 0; alive && i < 200; i++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
      try {
        process.kill(pid, 0);
      } catch {
        alive = false;
      }
    }
    expect(alive).toBe(false);
  });
});

describe('freePorts', () => {
  it('gives different ports', async () => {
    expect(new Set(await freePorts(8)).size).toBe(8);
  });
});

describe('findProgram', () => {
  it('searches the folders of a PATH and says null when there is none', async () => {
    expect(await findProgram('sh', '/nonexistent:/bin:/usr/bin')).toMatch(/\/sh$/);
    expect(await findProgram('sluice-no-such-program', '/bin:/usr/bin')).toBeNull();
  });
});
