import { describe, expect, it } from '@jest/globals';
import { afterCheck, neverSeen } from './engine-health.ts';
import type { Check, EngineHealth } from './engine-health.ts';

const good: Check = { kind: 'good' };
const refused: Check = { kind: 'bad', reason: 'ECONNREFUSED' };
const timeout: Check = { kind: 'timeout', flowing: false };
const busy: Check = { kind: 'timeout', flowing: true };

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
});
