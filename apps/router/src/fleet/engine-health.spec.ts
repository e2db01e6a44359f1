import { describe, expect, it } from '@jest/globals';
import { afterCheck, afterSuccess, afterTrip, neverSeen } from './engine-health.ts';
import type { Check, EngineHealth } from './engine-health.ts';

const good: Check = { kind: 'good' };
const refused: Check = { kind: 'bad', reason: 'ECONNREFUSED' };
const timeout: Check = { kind: 'timeout', excused: false };
const busy: Check = { kind: 'timeout', excused: true };

const after = (...checks: Check[]): EngineHealth =>
  checks.reduce((health, check, i) => afterCheck(health, check, i + 1), neverSeen(0));

describe('engine health', () => {
  it('is unknown until the engine has answered once', () => {
    expect(after().state).toBe('unknown');
    expect(after(refused, timeout, timeout).state).toBe('unknown');
    expect(after(refused, good)).toMatchObject({ state: 'up', reason: '', sinceMs: 2 });
  });

  it('goes down with one refusal and comes back with one good look', () => {
    expect(after(good, refused)).toMatchObject({ state: 'down', reason: 'ECONNREFUSED', sinceMs: 2 });
    expect(after(good, refused, refused).sinceMs).toBe(2);
    expect(after(good, refused, good)).toMatchObject({ state: 'up', sinceMs: 3 });
  });

  it('goes down with the second timeout in a row', () => {
    expect(after(good, timeout).state).toBe('up');
    expect(after(good, timeout, good, timeout).state).toBe('up');
    expect(after(good, timeout, timeout)).toMatchObject({ state: 'down', reason: 'does not answer in time' });
  });

  it('stays up while its answers flow, however slow its metrics are', () => {
    expect(after(good, busy, busy, busy).state).toBe('up');
    expect(after(good, timeout, busy, timeout).state).toBe('down');
    expect(after(good, refused, busy).state).toBe('down');
  });

  it('is held out for longer each time its requests fail, whatever it says of itself', () => {
    let health = afterTrip(after(good), 'requests fail', 1000);
    expect(health).toMatchObject({ state: 'down', reason: 'requests fail', heldUntilMs: 2000 });
    expect(afterCheck(health, good, 1999).state).toBe('down');
    health = afterCheck(health, good, 2000);
    expect(health.state).toBe('up');
    health = afterTrip(health, 'again', 3000);
    expect(health.heldUntilMs).toBe(5000);
    expect(afterTrip(afterSuccess(health), 'later', 9000).heldUntilMs).toBe(10_000);
    for (let i = 0; i < 10; i++) health = afterTrip(health, 'again', 10_000);
    expect(health.heldUntilMs).toBe(40_000);
  });
});
