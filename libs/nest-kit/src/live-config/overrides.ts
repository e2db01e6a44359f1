import { configVersionSchema } from '@sluice/contracts';
import type { ConfigVersion } from '@sluice/contracts';
import type { SettingTexts } from '@sluice/discovery';
import type { Store } from '@sluice/store';
import { z } from 'zod';

/** Settings that people changed while services ran, and how they came to be. The newest version is the one in force. */
export interface Overrides {
  /** 0: nobody has changed anything. */
  readonly version: number;
  readonly settings: SettingTexts;
  /** Newest first; at most {@link KEPT_VERSIONS}. */
  readonly history: readonly ConfigVersion[];
}

export const NO_OVERRIDES: Overrides = { version: 0, settings: {}, history: [] };
export const KEPT_VERSIONS = 50;

/** The version after `before`, with `settings` in the place of its own. */
export function nextVersion(before: Overrides, settings: SettingTexts, atMs: number, note: string | null): Overrides {
  const names = [...new Set([...Object.keys(before.settings), ...Object.keys(settings)])].sort();
  const changes = names
    .map((name) => ({ name, from: before.settings[name] ?? null, to: settings[name] ?? null }))
    .filter(({ from, to }) => from !== to);
  const version = before.version + 1;
  const entry = { version, atMs, note, changes, overrides: settings };
  return { version, settings, history: [entry, ...before.history].slice(0, KEPT_VERSIONS) };
}

/** Settings of an earlier version; null when it is not, or no longer, known. */
export function settingsOf({ history }: Overrides, version: number): SettingTexts | null {
  if (version === 0) return {};
  return history.find((entry) => entry.version === version)?.overrides ?? null;
}

const storedSchema = z.object({ format: z.literal(1), history: z.array(configVersionSchema).min(1) });

/** Overrides of one service in the store, as one value: instances that change it at the same time do not undo each other. */
export class OverrideStore {
  readonly #store: Store;
  readonly #key: string;
  /** What the store held when it was last read. */
  #bytes: Uint8Array | null = null;

  constructor(store: Store, service: string) {
    this.#store = store;
    this.#key = `config/${service}`;
  }

  /** @throws StoreUnavailable when the store cannot be asked; Error when it holds something else. */
  async read(): Promise<Overrides> {
    this.#bytes = await this.#store.get(this.#key);
    if (this.#bytes === null) return NO_OVERRIDES;
    const { history } = storedSchema.parse(JSON.parse(new TextDecoder().decode(this.#bytes)));
    const [newest] = history;
    return { version: newest!.version, settings: newest!.overrides, history };
  }

  /** Writes what follows from the last {@link read}; false when the store holds something newer. @throws StoreUnavailable */
  write({ history }: Overrides): Promise<boolean> {
    const bytes = new TextEncoder().encode(JSON.stringify({ format: 1, history }));
    return this.#store.replace(this.#key, this.#bytes, bytes);
  }
}
