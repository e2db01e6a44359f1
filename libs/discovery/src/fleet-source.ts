import type { Fleet } from '@sluice/model';
import { readFileSync, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { parseFleet } from './parse-fleet.ts';

/** Where the fleet comes from. Fleets are replaced whole; `version` rises with every change. */
export interface FleetSource {
  current(): Fleet;
  /** Calls `listener` with every new fleet from now on; returns the function that ends it. */
  subscribe(listener: (fleet: Fleet) => void): () => void;
  close(): void;
}

export interface WatchFleetOptions {
  readonly path: string;
  readonly onChange?: (fleet: Fleet) => void;
  /** The file cannot be read or is invalid; the last good fleet stays in force. Called once per distinct content. */
  readonly onError: (errors: readonly string[]) => void;
  /** How often the file is read even when the system reported no change (network file systems). Default 2000. */
  readonly pollMs?: number;
}

/** The first read of a fleet file failed. */
export class FleetFileError extends Error {
  override readonly name = 'FleetFileError';
  readonly errors: readonly string[];

  constructor(path: string, errors: readonly string[]) {
    super(`fleet file ${path}:\n${errors.map((error) => `  ${error}`).join('\n')}`);
    this.errors = errors;
  }
}

/** Changes of one moment (write, rename, chmod) are read once. */
const DEBOUNCE_MS = 50;

/** A fleet that never changes. */
export function staticFleet(fleet: Fleet): FleetSource {
  return { current: () => fleet, subscribe: () => () => undefined, close: () => undefined };
}

/**
 * The fleet of a file, followed as the file changes. The folder is watched, not the file, so that replacing the file by
 * rename (editors, ConfigMaps) is seen.
 * @throws FleetFileError when the first read fails or is invalid.
 */
export function watchFleet(options: WatchFleetOptions): FleetSource {
  return new WatchedFleet(options);
}

class WatchedFleet implements FleetSource {
  readonly #path: string;
  readonly #options: WatchFleetOptions;
  readonly #listeners = new Set<(fleet: Fleet) => void>();
  readonly #poll: NodeJS.Timeout;
  #watcher: FSWatcher | null = null;
  #debounce: NodeJS.Timeout | null = null;
  /** Text of the file when it was last looked at, or why it could not be read. */
  #lastSeen: string;
  #fleet: Fleet;

  constructor(options: WatchFleetOptions) {
    this.#options = options;
    this.#path = resolve(options.path);
    const read = this.#read();
    const parsed = read.ok ? this.#parse(read.text, 1) : read;
    if (!parsed.ok) throw new FleetFileError(options.path, parsed.errors);
    this.#lastSeen = read.ok ? read.text : '';
    this.#fleet = parsed.fleet;
    if (options.onChange) this.#listeners.add(options.onChange);
    this.#poll = setInterval(() => this.#look(), options.pollMs ?? 2000);
    this.#poll.unref();
    this.#watch();
  }

  current(): Fleet {
    return this.#fleet;
  }

  subscribe(listener: (fleet: Fleet) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#watcher?.close();
    clearInterval(this.#poll);
    if (this.#debounce) clearTimeout(this.#debounce);
    this.#listeners.clear();
  }

  #watch(): void {
    try {
      const name = basename(this.#path);
      // A ConfigMap changes the link `..data`, not the file itself.
      this.#watcher = watch(dirname(this.#path), { persistent: false }, (_event, changed) => {
        if (changed !== null && changed !== name && !changed.startsWith('..')) return;
        this.#debounce ??= setTimeout(() => {
          this.#debounce = null;
          this.#look();
        }, DEBOUNCE_MS).unref();
      });
      // Without a watcher (limits, exotic file systems) polling alone follows the file.
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      this.#watcher = null;
    }
  }

  #look(): void {
    const read = this.#read();
    const seen = read.ok ? read.text : `cannot read: ${read.errors[0]}`;
    if (seen === this.#lastSeen) return;
    this.#lastSeen = seen;
    const parsed = read.ok ? this.#parse(read.text, this.#fleet.version + 1) : read;
    if (!parsed.ok) {
      this.#options.onError(parsed.errors);
      return;
    }
    this.#fleet = parsed.fleet;
    for (const listener of this.#listeners) listener(parsed.fleet);
  }

  #read(): { ok: true; text: string } | { ok: false; errors: string[] } {
    try {
      return { ok: true, text: readFileSync(this.#path, 'utf8') };
    } catch (error) {
      return { ok: false, errors: [error instanceof Error ? error.message : String(error)] };
    }
  }

  #parse(text: string, version: number): ReturnType<typeof parseFleet> {
    return parseFleet(text, { baseDir: dirname(this.#path), version });
  }
}
