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

  describe('of several routers', () => {
    const other: ConfigView = {
      ...view,
      version: 2,
      settings: [
        view.settings[0]!,
        setting('ROUTER_RETRIES', { value: '5', source: 'environment' }),
        view.settings[2]!,
      ],
    };
    const ready = { ready: true, checks: {} };
    const only = [405, { error: { message: 'the console only reads; ask router-a itself, at http://a' } }];
    const startTwo = async (routes: Record<string, unknown> = {}) => {
      server = await startAdminServer({
        '/readyz': { ready: true, services: { 'router-a': ready, 'router-b': ready } },
        '/router-a/config': view,
        '/router-b/config': other,
        '/router-a/config/history': history,
        '/router-b/config/history': history,
        ...routes,
      });
      return { admin: server.origin, token: null, service: 'router', json: false };
    };

    it('shows once what they have alike, and by router what differs', async () => {
      const options = { ...(await startTwo()), all: false };
      const speaker = recorder(100);
      expect(await printSettings(undefined, options, speaker)).toBe(true);
      expect(speaker.said.out).toBe(
        [
          'router-a: overrides version 3, file /etc/sluice.yaml',
          'router-b: overrides version 2, file /etc/sluice.yaml',
          'setting         router    value  source       change',
          'ROUTER_POLICY   all       p2c    override     live',
          'ROUTER_RETRIES  router-a  2      default      live',
          'ROUTER_RETRIES  router-b  5      environment  live',
          'ROUTER_PORT     all       8080   environment  restart: 9090',
          'router-a: file: ROUTER_RETRIES: is wrong',
          'router-b: file: ROUTER_RETRIES: is wrong',
          '',
        ].join('\n'),
      );
      const [one, json, alone] = [recorder(), recorder(), recorder()];
      await printSettings('ROUTER_RETRIES', options, one);
      expect(one.said.out).toContain('value    2 (default) at router-a\nvalue    5 (environment) at router-b\n');
      await printSettings('ROUTER_RETRIES', { ...options, json: true }, json);
      expect(JSON.parse(json.said.out)).toMatchObject({
        routers: { 'router-a': { value: '2' }, 'router-b': { value: '5' } },
      });
      await printSettings('ROUTER_RETRIES', { ...options, service: 'router-b', json: true }, alone);
      expect(JSON.parse(alone.said.out)).toMatchObject({ value: '5' });
    });

    it('shows one history once', async () => {
      const options = await startTwo();
      const [same, different] = [recorder(), recorder()];
      await printHistory(options, same, 61_000);
      expect(same.said.out).toMatch(/^router-a, router-b:\nversion 3, 60 s ago: try\n.*\n$/);
      await server!.close();
      const others = await startTwo({ '/router-b/config/history': { version: 0, history: [] } });
      await printHistory(others, different, 61_000);
      expect(different.said.out).toMatch(/^router-a:\nversion 3.*\nrouter-b:\nNo setting has been overridden.\n$/s);
    });

    it('says where to change them: a console only reads', async () => {
      const options = await startTwo({ '/router-a/config': only, '/router-a/config/rollback': only });
      const where = /only reads; ask router-a itself, at http:\/\/a\. One of router-a, router-b is enough/;
      await expect(setSettings(['ROUTER_RETRIES=1'], options, recorder())).rejects.toThrow(where);
      await expect(rollBack(null, options, recorder())).rejects.toThrow(where);
    });
  });

  it('says who follows a change that is kept in a store', async () => {
    const stored = { ...view, overrides: { kept: 'store', state: 'followed' } };
    const options = await start({ '/router/config': stored });
    const speaker = recorder();
    await setSettings(['ROUTER_POLICY=p2c'], options, speaker);
    expect(speaker.said.out).toContain('Kept in Redis: every router that shares it follows within moments.');
  });

  it('is part of the command line', async () => {
    const { admin } = await start();
    expect(await buildProgram({}).run(['node', 'sluice', 'config', 'get', '--admin', admin])).toBe(0);
    expect(await buildProgram({}).run(['node', 'sluice', 'config', 'set', '--admin', admin])).toBe(2);
  });
});
