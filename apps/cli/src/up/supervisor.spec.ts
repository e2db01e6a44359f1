import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Child } from '@sluice/process';
import { Supervisor } from './supervisor.ts';
import type { ChildKind } from './supervisor.ts';

const RUNS = 'setInterval(() => {}, 1000)';
const started: Child[] = [];
let said: string[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((child) => child.stop()));
});

/** A process that runs until it is told to end, or as `script` says. */
function start(script = RUNS): Child {
  const child = new Child({ name: 'kv-index', command: process.execPath, args: ['-e', script], env: process.env });
  started.push(child);
  return child;
}

/** A system of one child, which has started. */
function system(
  kind: ChildKind,
  again: (() => Child) | null,
): { supervisor: Supervisor; first: Child; stopped: Promise<number> } {
  said = [];
  const supervisor = new Supervisor((line) => said.push(line), false);
  const first = start();
  supervisor.add(first, kind, again);
  return { supervisor, first, stopped: supervisor.untilStopped() };
}

async function untilStarted(count: number): Promise<Child> {
  while (started.length < count) await sleep(10);
  return started[count - 1]!;
}

describe('the end of a child', () => {
  it('is followed by another start, after a pause that grows, where a service can be started again', async () => {
    const { supervisor, first } = system('service', start);
    first.signal('SIGKILL');
    const second = await untilStarted(2);
    second.signal('SIGKILL');
    const third = await untilStarted(3);
    expect(third.exit).toBeNull();
    expect(said).toEqual([
      '[kv-index] ended (SIGKILL), is started again in 0.5 s; the others go on',
      '[kv-index] ended (SIGKILL), is started again in 1 s; the others go on',
    ]);
    await supervisor.stopAll();
    expect(third.exit).not.toBeNull();
  });

  it('stops everything, with its last words, when a service ends for the third time within a minute', async () => {
    const { first, stopped } = system('service', () =>
      start("console.error('no such file'); setTimeout(() => process.exit(3), 200)"),
    );
    first.signal('SIGKILL');
    expect(await stopped).toBe(1);
    expect(started).toHaveLength(3);
    expect(said.at(-1)).toBe(
      '[kv-index] ended (code 3) 3 times within a minute: all is stopped. Its last words:\nno such file',
    );
  });

  it('is not followed by a start once all is being stopped: nothing is left behind', async () => {
    const { supervisor, first } = system('service', start);
    first.signal('SIGKILL');
    while (said.length === 0) await sleep(10);
    await supervisor.stopAll();
    await sleep(700);
    expect(started).toEqual([first]);
  });

  it('stops everything where a service cannot be started again, and nothing where it is none', async () => {
    const alone = system('service', null);
    alone.first.signal('SIGKILL');
    expect(await alone.stopped).toBe(1);
    expect(said).toEqual(['[kv-index] ended (SIGKILL), and with it all']);

    const engine = system('engine', null);
    engine.first.signal('SIGKILL');
    while (said.length === 0) await sleep(10);
    expect(said).toEqual(['[kv-index] ended (SIGKILL), the others go on']);
    expect(await Promise.race([engine.stopped, sleep(50, 'runs')])).toBe('runs');
  });
});
