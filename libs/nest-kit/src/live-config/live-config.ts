import { isDeepStrictEqual } from 'node:util';
import { configChanged } from '@sluice/contracts';
import type { ConfigHistory, ConfigView } from '@sluice/contracts';
import { settingText } from '@sluice/discovery';
import type { ConfigFileContent, SettingTexts } from '@sluice/discovery';
import { StoreUnavailable } from '@sluice/store';
import type { LogLevel } from '@sluice/telemetry';
import type { z } from 'zod';
import type { Environment, ParsedConfig } from '../config.ts';
import type { ServiceContext } from '../service.ts';
import { describeSettings } from '../setting.ts';
import type { SettingDescription } from '../setting.ts';
import { inForce, nameErrors, settingViews } from './layers.ts';
import type { Layers } from './layers.ts';
import { LiveConfigMetrics } from './live-config-metrics.ts';
import { nextVersion, NO_OVERRIDES, OverrideStore, settingsOf } from './overrides.ts';
import type { Overrides } from './overrides.ts';

export interface LiveConfigOptions<C> {
  /** Every setting of the service. */
  readonly settings: z.ZodObject;
  readonly parse: (env: Environment, file: SettingTexts) => ParsedConfig<C>;
  /** As the service was started with. */
  readonly config: C;
  readonly context: ServiceContext;
  /** What keeps a configuration that is well formed from coming into force here; empty: nothing. */
  readonly check?: (next: C) => string[];
  /** Brings a configuration into force. Called with none that `check` refuses. */
  readonly apply?: (next: C, before: C) => void;
}

/** What became of a change. */
export type ConfigChange =
  | { readonly kind: 'in force' }
  | { readonly kind: 'invalid'; readonly errors: readonly string[] }
  /** Somebody was faster: the version is another than was expected. */
  | { readonly kind: 'conflict'; readonly version: number }
  | { readonly kind: 'unknown version' }
  | { readonly kind: 'unavailable'; readonly reason: string };

/** How often the store is asked for newer overrides even when nobody told of them. */
const POLL_MS = 5000;
/** Writes that lose against other instances are tried so often. */
const TRIES = 8;

/**
 * The configuration of a running service: what it was started with, and on top of that its file of settings and the
 * overrides that people gave, both followed as they change. A configuration comes into force whole or not at all; what is
 * wrong leaves the last good one in force. See README.md for who writes what.
 */
export class LiveConfig<C extends { readonly logLevel: LogLevel }> {
  readonly #options: LiveConfigOptions<C>;
  readonly #descriptions: readonly SettingDescription[];
  readonly #store: OverrideStore;
  readonly #metrics: LiveConfigMetrics;
  readonly #start: Layers;
  #layers: Layers;
  #overrides: Overrides = NO_OVERRIDES;
  #parsed: C | null;
  #current: C;
  #fileLoadedAtMs = Date.now();
  #fileProblems: readonly string[] = [];
  #overrideProblems: readonly string[] = [];
  #reachable = true;
  #stops: (() => void)[] = [];
  /** Changes and reads of the store, one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: LiveConfigOptions<C>) {
    this.#options = options;
    const { context, config } = options;
    this.#descriptions = describeSettings(options.settings);
    this.#store = new OverrideStore(context.store, context.service);
    const { env, file } = context.settings ?? { env: {}, file: null };
    this.#start = { env, file: file?.first.ok ? file.first.settings : {}, overrides: {} };
    this.#layers = this.#start;
    this.#current = config;
    this.#parsed = this.#parse(this.#layers).config;
    this.#metrics = new LiveConfigMetrics(context.metrics, () => ({
      version: this.#overrides.version,
      problems: this.#problems().length,
    }));
  }

  /** In force. Objects of it are replaced, never changed. */
  get current(): C {
    return this.#current;
  }

  /** Takes over the overrides that there are and follows them and the file. A store that is away is no reason to wait. */
  async start(): Promise<void> {
    const { bus, store, service, settings } = this.#options.context;
    const reload = (): void => void this.#serially(() => this.#reload());
    const poll = setInterval(reload, POLL_MS);
    poll.unref();
    const unfollow = settings?.file?.follow((content) => this.#takeFile(content));
    this.#stops = [
      () => unfollow?.(),
      () => clearInterval(poll),
      store.onState((state) => state === 'connected' && reload()),
      bus.subscribe(configChanged, (change) => {
        if (change.service === service && change.version !== this.#overrides.version) reload();
      }),
    ];
    await this.#serially(() => this.#reload());
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  view(): ConfigView {
    const { service, store, settings } = this.#options.context;
    const file = settings?.file ?? null;
    return {
      service,
      version: this.#overrides.version,
      overrides: { kept: store.durable ? 'store' : 'memory', state: this.#reachable ? 'followed' : 'unreachable' },
      file: file === null ? null : { path: file.path, loadedAtMs: this.#fileLoadedAtMs },
      problems: this.#problems(),
      settings: settingViews(this.#descriptions, this.#start, this.#layers),
    };
  }

  history(): ConfigHistory {
    return { version: this.#overrides.version, history: this.#overrides.history };
  }

  /** Changes single overrides; null takes one away. `expected`: the version that must be in force, or null. */
  patch(
    changes: Readonly<Record<string, unknown>>,
    expected: number | null,
    note: string | null,
  ): Promise<ConfigChange> {
    return this.#change(expected, note, (before) => withChanges(before.settings, changes));
  }

  /** Gives all overrides anew. */
  replace(
    settings: Readonly<Record<string, unknown>>,
    expected: number | null,
    note: string | null,
  ): Promise<ConfigChange> {
    return this.#change(expected, note, () => withChanges({}, settings));
  }

  /** Brings the overrides of an earlier version back, by default of the one before; the history goes on. */
  rollback(version: number | null, expected: number | null, note: string | null): Promise<ConfigChange> {
    return this.#change(expected, note ?? `rollback to ${version ?? 'the version before'}`, (before) => {
      const settings = settingsOf(before, version ?? before.version - 1);
      return settings === null ? null : { settings, errors: [] };
    });
  }

  #change(
    expected: number | null,
    note: string | null,
    next: (before: Overrides) => { settings: SettingTexts; errors: string[] } | null,
  ): Promise<ConfigChange> {
    return this.#serially(async () => {
      try {
        for (let tries = TRIES; tries > 0; tries--) {
          const before = await this.#store.read();
          if (expected !== null && expected !== before.version) return { kind: 'conflict', version: before.version };
          const wanted = next(before);
          if (wanted === null) return { kind: 'unknown version' };
          const errors = [...wanted.errors, ...this.#errorsOf({ ...this.#layers, overrides: wanted.settings })];
          if (errors.length > 0) return { kind: 'invalid', errors };
          const after = nextVersion(before, wanted.settings, Date.now(), note);
          if (!(await this.#store.write(after))) continue;
          this.#takeOverrides(after);
          const { bus, service } = this.#options.context;
          bus.publish(configChanged, { service, version: after.version });
          return { kind: 'in force' };
        }
        return { kind: 'conflict', version: this.#overrides.version };
      } catch (error) {
        if (error instanceof StoreUnavailable) return { kind: 'unavailable', reason: error.message };
        throw error;
      }
    });
  }

  async #reload(): Promise<void> {
    const { logger } = this.#options.context;
    try {
      const stored = await this.#store.read();
      this.#reachable = true;
      if (stored.version !== this.#overrides.version) this.#takeOverrides(stored);
    } catch (error) {
      // Said once: it is tried again and again.
      if (this.#reachable)
        logger.warn({ err: error }, 'overrides of settings cannot be read; the last ones stay in force');
      this.#reachable = false;
    }
  }

  #takeOverrides(overrides: Overrides): void {
    const layers = { ...this.#layers, overrides: overrides.settings };
    this.#overrides = overrides;
    this.#overrideProblems = this.#errorsOf(layers).map((error) => `override ${error}`);
    this.#finish(layers, 'override', this.#overrideProblems, { version: overrides.version });
  }

  #takeFile(content: ConfigFileContent): void {
    const file = content.ok ? content.settings : {};
    const layers = { ...this.#layers, file };
    const errors = content.ok ? this.#fileErrors(layers) : content.errors;
    this.#fileProblems = errors.map((error) => `file: ${error}`);
    if (errors.length === 0) this.#fileLoadedAtMs = Date.now();
    this.#finish(layers, 'file', this.#fileProblems, {});
  }

  #finish(layers: Layers, source: 'file' | 'override', problems: readonly string[], about: object): void {
    const { logger } = this.#options.context;
    this.#metrics.count(source, problems.length === 0);
    if (problems.length > 0) {
      logger.error({ ...about, errors: problems }, 'changed settings are wrong; the last good ones stay in force');
      return;
    }
    const changed = this.#bringIntoForce(layers);
    logger.info({ ...about, source, changed }, 'settings changed');
  }

  /** Returns the names of the settings that changed. */
  #bringIntoForce(layers: Layers): string[] {
    const was = inForce(this.#descriptions, this.#start, this.#layers);
    const is = inForce(this.#descriptions, this.#start, layers);
    this.#layers = layers;
    const before = this.#current;
    const parsed = this.#parse(layers).config;
    this.#current = this.#merged(parsed);
    this.#parsed = parsed;
    const { logLevel } = this.#current;
    if (logLevel !== before.logLevel) this.#options.context.logger.level = logLevel;
    this.#options.apply?.(this.#current, before);
    return Object.keys({ ...was, ...is }).filter((name) => was[name] !== is[name]);
  }

  /** What changed in the texts changes in the configuration; what a caller put there beside them stays. */
  #merged(next: C | null): C {
    if (next === null) return this.#current;
    const merged = { ...this.#current };
    for (const key of Object.keys(next) as (keyof C)[]) {
      if (!isDeepStrictEqual(next[key], this.#parsed?.[key])) merged[key] = next[key];
    }
    return merged;
  }

  #errorsOf(layers: Layers): string[] {
    const names = nameErrors(this.#descriptions, layers.overrides);
    const { config, errors } = this.#parse(layers);
    if (config === null || errors.length > 0) return [...names, ...errors];
    return [...names, ...(this.#options.check?.(this.#merged(config)) ?? [])];
  }

  /** Of the file alone, settings that need a restart included, then of what it would bring into force. */
  #fileErrors(layers: Layers): string[] {
    const parsed = this.#options.parse(layers.env, layers.file);
    return parsed.ok ? this.#errorsOf(layers) : parsed.errors;
  }

  #parse(layers: Layers): { config: C | null; errors: string[] } {
    const parsed = this.#options.parse(inForce(this.#descriptions, this.#start, layers), {});
    return parsed.ok ? { config: parsed.config, errors: [] } : { config: null, errors: parsed.errors };
  }

  #problems(): string[] {
    return [...this.#fileProblems, ...this.#overrideProblems];
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    return done;
  }
}

/** `before` with `changes`; null and undefined take a setting away. */
function withChanges(
  before: SettingTexts,
  changes: Readonly<Record<string, unknown>>,
): { settings: SettingTexts; errors: string[] } {
  const settings: Record<string, string> = { ...before };
  const errors: string[] = [];
  for (const [name, value] of Object.entries(changes)) {
    const text = value === null || value === undefined ? '' : settingText(value);
    if (text === null) errors.push(`${name}: must be a value, a list of values or a mapping of values`);
    else if (text === '') delete settings[name];
    else settings[name] = text;
  }
  return { settings, errors };
}
