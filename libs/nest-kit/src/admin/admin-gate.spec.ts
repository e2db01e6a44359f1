import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem } from '../problem.ts';
import { AdminGate, isLoopback } from './admin-gate.ts';
import { AdminTokens } from './admin-tokens.ts';
import type { AdminTokenSettings } from './admin-tokens.ts';

const CHANGE = 'the-admin-token-0123';
const READ = 'the-reader-token-0123';
const LOCAL = { host: '127.0.0.1:8081' };

function gateOf(settings: Partial<AdminTokenSettings> = {}, host = '127.0.0.1'): AdminGate {
  return new AdminGate(new AdminTokens({ token: null, tokenFile: null, readToken: null, ...settings }), host);
}

/** `200`, or the status and code of the problem. */
function answer(gate: AdminGate, method: string, headers: Record<string, string> = {}): string {
  try {
    gate.check({ method, headers: { ...LOCAL, ...headers } }, null);
    return '200';
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    expect(error.message).not.toContain(CHANGE);
    return `${error.getStatus()} ${error.code}`;
  }
}
const bearing = (token: string) => ({ authorization: `Bearer ${token}` });

describe('admin gate', () => {
  it('asks for the token on what changes state, and leaves reads open', () => {
    const gate = gateOf({ token: CHANGE }, '0.0.0.0');
    expect(answer(gate, 'GET')).toBe('200');
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      expect(answer(gate, method)).toBe('401 unauthorized');
      expect(answer(gate, method, bearing('the-admin-token-0124'))).toBe('401 unauthorized');
      expect(answer(gate, method, { authorization: `Basic ${CHANGE}` })).toBe('401 unauthorized');
      expect(answer(gate, method, bearing(CHANGE))).toBe('200');
      expect(answer(gate, method, { authorization: `bearer  ${CHANGE}` })).toBe('200');
    }
  });

  it('asks for a token on reads where there is one for them, and takes the admin token there', () => {
    const gate = gateOf({ token: CHANGE, readToken: READ });
    expect(answer(gate, 'GET')).toBe('401 unauthorized');
    expect(answer(gate, 'GET', bearing(READ))).toBe('200');
    expect(answer(gate, 'GET', bearing(CHANGE))).toBe('200');
    expect(answer(gate, 'POST', bearing(READ))).toBe('401 unauthorized');
    expect(() => gateOf({ readToken: READ })).toThrow(/SLUICE_ADMIN_READ_TOKEN: needs/);
  });

  it('lets only this machine change state where there is no token, and no web page of others', () => {
    expect(answer(gateOf({}, '0.0.0.0'), 'POST')).toBe('403 no_admin_token');
    expect(answer(gateOf({}, '0.0.0.0'), 'GET')).toBe('200');
    const gate = gateOf();
    expect(answer(gate, 'POST')).toBe('200');
    expect(answer(gate, 'POST', { origin: 'http://127.0.0.1:8081' })).toBe('200');
    expect(answer(gate, 'POST', { origin: 'http://evil.example' })).toBe('403 foreign_origin');
    expect(answer(gate, 'POST', { host: 'evil.example:8081' })).toBe('403 foreign_origin');
    expect(answer(gateOf({}, '::1'), 'POST', { host: '[::1]:8081' })).toBe('200');
  });

  it('goes by what a route does rather than by its method where that is said', () => {
    const gate = gateOf({ token: CHANGE });
    expect(() => gate.check({ method: 'POST', headers: LOCAL }, 'read')).not.toThrow();
    expect(() => gate.check({ method: 'GET', headers: LOCAL }, 'change')).toThrow(Problem);
    expect(() =>
      gateOf({ token: CHANGE, readToken: READ }).check({ method: 'GET', headers: {} }, 'open'),
    ).not.toThrow();
  });

  it('reads the token of a file, and follows it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-token-'));
    const tokenFile = join(folder, 'token');
    const at = (seconds: number): void => utimesSync(tokenFile, seconds, seconds);
    try {
      expect(() => gateOf({ tokenFile })).toThrow(/SLUICE_ADMIN_TOKEN_FILE: ENOENT/);
      writeFileSync(tokenFile, 'short');
      expect(() => gateOf({ tokenFile })).toThrow(/must be at least 16/);
      writeFileSync(tokenFile, `${CHANGE}\n`);
      at(1000);
      const gate = gateOf({ tokenFile });
      expect(answer(gate, 'POST', bearing(CHANGE))).toBe('200');
      writeFileSync(tokenFile, 'another-token-0123456\n');
      at(2000);
      expect(answer(gate, 'POST', bearing(CHANGE))).toBe('401 unauthorized');
      expect(answer(gate, 'POST', bearing('another-token-0123456'))).toBe('200');
      writeFileSync(tokenFile, '');
      at(3000);
      expect(answer(gate, 'POST', bearing('another-token-0123456'))).toBe('200');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('knows what reaches this machine alone', () => {
    for (const host of ['localhost', '127.0.0.1', '127.8.0.9', '::1']) expect(isLoopback(host)).toBe(true);
    for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.evil.example', ''])
      expect(isLoopback(host)).toBe(false);
  });
});
