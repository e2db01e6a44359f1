import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createMemoryBus } from '@sluice/bus';
import type { ConfigFileContent } from '@sluice/discovery';
import { createMemoryStore, StoreUnavailable } from '@sluice/store';
import type { Store } from '@sluice/store';
import { createLogger, createMetrics } from '@sluice/telemetry';
import { z } from 'zod';
import { commonFields, parseConfig } from '../config.ts';
import type { Environment, ParsedConfig } from '../config.ts';
import { integerField, textField } from '../fields.ts';
import { liveSetting, setting } from '../setting.ts';
import { LiveConfig } from './live-config.ts';
import { KEPT_VERSIONS } from './overrides.ts';

const { SLUICE_LOG_LEVEL, SLUICE_REDIS_URL, SLUICE_ADMIN_TOKEN } = commonFields;
const settings = z.object({
  SLUICE_LOG_LEVEL,
  SLUICE_REDIS_URL,
  SLUICE_ADMIN_TOKEN,
  ROUTER_RETRIES: liveSetting(integerField(0, 10).default(2), 'tries'),
  ROUTER_NAMES: liveSetting(textField('names').default('none'), 'some names'),
  ROUTER_PORT: setting(integerField(1, 9999).default(80), 'a port'),
});
interface Config {
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  readonly retries: number;
  readonly names: string;
  readonly port: number;
}

function parse(env: Environment, file: Record<string, string>): ParsedConfig<Config> {
  const parsed = parseConfig(settings, 'ROUTER_', env, file);
  if (!parsed.ok) return parsed;
  const { SLUICE_LOG_LEVEL: logLevel, ROUTER_RETRIES: retries, ROUTER_NAMES: names, ROUTER_PORT: port } = parsed.config;
  return { ok: true, config: { logLevel, retries, names, port } };
}

const bus = createMemoryBus();
let store: Store;
const running: LiveConfig<Config>[] = [];
beforeEach(() => {
  store = createMemoryStore();
});
afterEach(() => running.splice(0).forEach((live) => live.stop()));

/** A file whose content the spec gives. */
function fakeFile(first: ConfigFileContent) {
  let listener: (content: ConfigFileContent) => void = () => undefined;
  const follow = (next: typeof listener) => {
    listener = next;
    return () => undefined;
  };
  return {
    path: 'sluice.yaml',
    first,
    follow,
    close: () => undefined,
    turn: (next: ConfigFileContent) => listener(next),
  };
}

async function start(options: { env?: Environment; file?: ReturnType<typeof fakeFile>; store?: Store } = {}) {
  const { env = {}, file = null } = options;
  const logger = createLogger({ service: 'router', level: 'silent' });
  const metrics = createMetrics({ service: 'router', process: false });
  const context = { service: 'router', bus, store: options.store ?? store, logger, metrics, settings: { env, file } };
  const parsed = parse({ SLUICE_LOG_LEVEL: 'silent', ...env }, file?.first.ok ? { ...file.first.settings } : {});
  if (!parsed.ok) throw new Error(parsed.errors.join());
  const applied: Config[] = [];
  const check = ({ names }: Config): string[] => (names === 'impossible' ? ['ROUTER_NAMES: cannot be here'] : []);
  const apply = (next: Config): void => void applied.push(next);
  const live = new LiveConfig<Config>({ settings, parse, config: parsed.config, context, check, apply });
  running.push(live);
  await live.start();
  return { live, applied, logger, metrics };
}

const of = (live: LiveConfig<Config>, name: string) => live.view().settings.find((each) => each.name === name);
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

describe('live configuration', () => {
  it('says of every setting where it comes from, and shows no secret', async () => {
    const env = {
      ROUTER_PORT: '81',
      ROUTER_NAMES: 'env',
      SLUICE_ADMIN_TOKEN: 'a-very-secret-token',
      SLUICE_REDIS_URL: 'redis://me:hunter2@host',
    };
    const file = fakeFile({ ok: true, settings: { ROUTER_NAMES: 'file' } });
    const { live } = await start({ env, file });
    await live.patch({ ROUTER_RETRIES: 5 }, null, null);
    expect(of(live, 'ROUTER_PORT')).toMatchObject({ value: '81', source: 'environment', reload: 'restart' });
    expect(of(live, 'ROUTER_NAMES')).toMatchObject({ value: 'file', source: 'file', reload: 'live', fallback: 'none' });
    expect(of(live, 'ROUTER_RETRIES')).toMatchObject({ value: '5', source: 'override', meaning: 'tries' });
    expect(of(live, 'SLUICE_ADMIN_TOKEN')).toMatchObject({ value: '***' });
    expect(JSON.stringify(live.view())).not.toMatch(/hunter2|a-very-secret/);
    expect(live.current).toEqual({ logLevel: 'silent', retries: 5, names: 'file', port: 81 });
  });

  it('brings a change into force whole or not at all, with every error', async () => {
    const { live, applied } = await start();
    const wrong = {
      ROUTER_RETRIES: 11,
      ROUTER_RETRYS: 1,
      ROUTER_PORT: 90,
      SLUICE_LOG_LEVEL: 'debug',
      ROUTER_NAMES: [[1]],
    };
    expect(await live.patch(wrong, null, null)).toEqual({
      kind: 'invalid',
      errors: [
        'ROUTER_NAMES: must be a value, a list of values or a mapping of values',
        'ROUTER_RETRYS: is unknown; did you mean ROUTER_RETRIES?',
        'ROUTER_PORT: needs a restart; set it in the environment or in the file of settings',
        "ROUTER_RETRIES: '11' must be a whole number from 0 to 10",
      ],
    });
    expect(await live.patch({ ROUTER_NAMES: 'impossible', SLUICE_LOG_LEVEL: 'debug' }, null, null)).toEqual({
      kind: 'invalid',
      errors: ['ROUTER_NAMES: cannot be here'],
    });
    expect([live.view().version, live.current.logLevel, applied]).toEqual([0, 'silent', []]);
  });

  it('follows the log level, keeps a history, and goes back to any version of it', async () => {
    const { live, logger, metrics } = await start();
    await live.patch({ SLUICE_LOG_LEVEL: 'error' }, null, 'quieter');
    expect(logger.level).toBe('error');
    await live.patch({ SLUICE_LOG_LEVEL: null, ROUTER_RETRIES: 3 }, null, null);
    await live.replace({ ROUTER_NAMES: ['a', 'b'] }, null, null);
    expect(live.current).toMatchObject({ retries: 2, names: 'a,b' });
    expect(live.history()).toMatchObject({
      version: 3,
      history: [
        {
          version: 3,
          changes: [
            { name: 'ROUTER_NAMES', from: null, to: 'a,b' },
            { name: 'ROUTER_RETRIES', from: '3', to: null },
          ],
        },
        { version: 2 },
        { version: 1, note: 'quieter', overrides: { SLUICE_LOG_LEVEL: 'error' } },
      ],
    });
    expect(await live.rollback(null, null, null)).toEqual({ kind: 'in force' });
    expect(live.current).toMatchObject({ retries: 3, names: 'none' });
    expect(await live.rollback(1, null, null)).toEqual({ kind: 'in force' });
    expect([live.view().version, logger.level, live.current.retries]).toEqual([5, 'error', 2]);
    expect(await live.rollback(0, null, null)).toEqual({ kind: 'in force' });
    expect(live.view().settings.filter(({ source }) => source === 'override')).toEqual([]);
    expect(await live.rollback(99, null, null)).toEqual({ kind: 'unknown version' });
    expect(await metrics.text()).toMatch(/sluice_config_version{[^}]*} 6\n/);
  });

  it('keeps a bounded history', async () => {
    const { live } = await start();
    for (let i = 0; i < KEPT_VERSIONS + 5; i++) await live.patch({ ROUTER_RETRIES: i % 10 }, null, null);
    expect(live.history().history).toHaveLength(KEPT_VERSIONS);
    expect(await live.rollback(3, null, null)).toEqual({ kind: 'unknown version' });
  });

  it('is shared by all instances, and does not lose a change to another', async () => {
    const [a, b] = [await start(), await start()];
    await a.live.patch({ ROUTER_RETRIES: 7 }, null, null);
    await settled();
    expect([b.live.current.retries, b.live.view().version]).toEqual([7, 1]);
    expect(await b.live.patch({ ROUTER_RETRIES: 8 }, 0, null)).toEqual({ kind: 'conflict', version: 1 });
    const both = [a.live.patch({ ROUTER_RETRIES: 1 }, null, null), b.live.patch({ ROUTER_NAMES: 'both' }, null, null)];
    expect(await Promise.all(both)).toEqual([{ kind: 'in force' }, { kind: 'in force' }]);
    await settled();
    for (const { live } of [a, b]) expect(live.current).toMatchObject({ retries: 1, names: 'both' });
    const raced = await Promise.all([a, b].map(({ live }, i) => live.patch({ ROUTER_RETRIES: i }, 3, null)));
    expect(raced.map(({ kind }) => kind).sort()).toEqual(['conflict', 'in force']);
    const late = await start();
    expect(late.live.view().version).toBe(4);
  });

  it('follows its file, tells what waits for a restart, and keeps the last good one', async () => {
    const file = fakeFile({ ok: true, settings: { ROUTER_RETRIES: '4' } });
    const { live } = await start({ file });
    await live.patch({ ROUTER_NAMES: 'mine' }, null, null);
    file.turn({ ok: true, settings: { ROUTER_RETRIES: '6', ROUTER_NAMES: 'file', ROUTER_PORT: '99' } });
    expect(live.current).toMatchObject({ retries: 6, names: 'mine', port: 80 });
    expect(of(live, 'ROUTER_PORT')).toMatchObject({ value: '80', pending: '99' });
    for (const bad of [
      { ok: true, settings: { ROUTER_RETRIES: '7', ROUTER_PORT: 'x' } },
      { ok: true, settings: { ROUTER_RETRIES: '7', ROUTER_RETRIE: '7' } },
      { ok: false, errors: ['is no YAML'] },
    ] as const) {
      file.turn(bad);
      expect(live.view().problems).toEqual([expect.stringMatching(/^file: /)]);
      expect(live.current.retries).toBe(6);
    }
    file.turn({ ok: true, settings: {} });
    expect([live.view().problems, live.current.retries]).toEqual([[], 2]);
    expect(of(live, 'ROUTER_PORT')).toMatchObject({ pending: null });
  });

  it('runs on without the store, takes no change there, and catches up', async () => {
    let away = true;
    const listeners: ((state: 'connected') => void)[] = [];
    const flaky: Store = {
      ...store,
      durable: true,
      state: () => (away ? 'disconnected' : 'connected'),
      onState: (listener) => (listeners.push(listener), () => undefined),
      get: (key) => (away ? Promise.reject(new StoreUnavailable('away')) : store.get(key)),
      replace: (key, expected, value) => store.replace(key, expected, value),
    };
    const other = await start();
    await other.live.patch({ ROUTER_RETRIES: 9 }, null, null);
    const { live } = await start({ store: flaky });
    expect(live.view().overrides).toEqual({ kept: 'store', state: 'unreachable' });
    expect(await live.patch({ ROUTER_RETRIES: 1 }, null, null)).toEqual({ kind: 'unavailable', reason: 'away' });
    expect(live.current.retries).toBe(2);
    away = false;
    for (const listener of listeners) listener('connected');
    await settled();
    expect([live.current.retries, live.view().overrides.state]).toEqual([9, 'followed']);
  });
});
