import { afterEach, describe, expect, it } from '@jest/globals';
import type { ConfigView, SettingView } from '@sluice/contracts';
import { buildProgram } from '../program.ts';
import { recorder, startAdminServer } from '../testing/admin-server.ts';
import type { AdminServer } from '../testing/admin-server.ts';
import { printHistory, printSettings, rollBack, setSettings } from './settings.ts';

const setting = (name: string, rest: Partial<SettingView> = {}): SettingView => ({
  name,
  value: '2',
  source: 'default',
  reload: 'live',
  pending: null,
  fallback: '2',
  allowed: 'a whole number from 0 to 10',
  meaning: 'Further attempts on other workers',
  ...rest,
});
const view: ConfigView = {
  service: 'router',
  version: 3,
  overrides: { kept: 'memory', state: 'followed' },
  file: { path: '/etc/sluice.yaml', loadedAtMs: 0 },
  problems: ['file: ROUTER_RETRIES: is wrong'],
  settings: [
    setting('ROUTER_POLICY', { value: 'p2c', source: 'override' }),
    setting('ROUTER_RETRIES'),
    setting('ROUTER_PORT', { value: '8080', source: 'environment', reload: 'restart', pending: '9090' }),
  ],
};
const change = { name: 'ROUTER_POLICY', from: null, to: 'p2c' };
const history = { version: 3, history: [{ version: 3, atMs: 1000, note: 'try', changes: [change], overrides: {} }] };

let server: AdminServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

async function start(routes: Record<string, unknown> = {}) {
  const all = { '/readyz': { ready: true, services: { router: { ready: true, checks: {} } } } };
  server = await startAdminServer({ ...all, '/router/config': view, '/router/config/history': history, ...routes });
  return { admin: server.origin, token: 'the-admin-token-01', service: 'router', json: false };
}

describe('sluice config', () => {
  it('shows what is not as by default, what waits for a restart, and what is wrong', async () => {
    const options = await start();
    const speaker = recorder();
    await printSettings(undefined, { ...options, all: false }, speaker);
    expect(speaker.said.out).toBe(
      [
        'router: overrides version 3, file /etc/sluice.yaml',
        'setting        value  source       change',
        'ROUTER_POLICY  p2c    override     live',
        'ROUTER_PORT    8080   environment  restart: 9090',
        '1 more as by default: --all',
        'file: ROUTER_RETRIES: is wrong',
        '',
      ].join('\n'),
    );
  });

  it('shows one setting with what it means and takes', async () => {
    const options = { ...(await start()), all: false };
    const speaker = recorder();
    await printSettings('router_retries', options, speaker);
    expect(speaker.said.out).toBe(
      [
        'ROUTER_RETRIES',
        'Further attempts on other workers',
        'value    2 (default)',
        'default  2',
        'takes    a whole number from 0 to 10',
        'change   at once',
        '',
      ].join('\n'),
    );
    await expect(printSettings('nope', options, speaker)).rejects.toThrow(/router has no setting 'nope'/);
  });

  it('sends changes with the token, and says what is in force', async () => {
    const options = await start();
    const speaker = recorder();
    await setSettings(['router_policy=p2c', 'ROUTER_RETRIES='], { ...options, note: 'try', ifVersion: 2 }, speaker);
    expect(speaker.said.out).toContain(
      'version 3 of the overrides of router is in force\n  ROUTER_POLICY=p2c  (override)',
    );
    expect(speaker.said.out).toContain('until the next start');
    expect(server!.tokens).toContain('Bearer the-admin-token-01');
    await expect(setSettings(['nothing'], options, speaker)).rejects.toThrow(/must be NAME=VALUE/);
  });

  it('shows the history and goes back', async () => {
    const options = await start({ '/router/config/rollback': view });
    const speaker = recorder();
    await printHistory(options, speaker, 61_000);
    expect(speaker.said.out).toBe('version 3, 60 s ago: try\n  ROUTER_POLICY: no override -> p2c\n');
    await rollBack(1, { ...options, note: 'back' }, speaker);
    expect(server!.bodies).toEqual([{ version: 1, note: 'back' }]);
  });

  it('says every error of a refused change', async () => {
    const message = "ROUTER_RETRIES: '99' must be a whole number from 0 to 10; X: is unknown";
    const options = await start({ '/router/config': [400, { error: { message } }] });
    await expect(setSettings(['ROUTER_RETRIES=99'], options, recorder())).rejects.toThrow(message);
  });

  it('is part of the command line', async () => {
    const { admin } = await start();
    expect(await buildProgram({}).run(['node', 'sluice', 'config', 'get', '--admin', admin])).toBe(0);
    expect(await buildProgram({}).run(['node', 'sluice', 'config', 'set', '--admin', admin])).toBe(2);
  });
});
