import { readFileSync, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

export type FileText = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string };

export interface WatchedFileOptions {
  readonly path: string;
  /** The text of the file has changed, or it can no longer (or again) be read. */
  readonly onChange: (file: FileText) => void;
  /** How often the file is read even when the system reported no change (network file systems). Default 2000. */
  readonly pollMs?: number;
}

/** Changes of one moment (write, rename, chmod) are read once. */
const DEBOUNCE_MS = 50;

/**
 * The text of a file, followed as the file changes. The folder is watched, not the file, so that replacing the file by
 * rename (editors, ConfigMaps) is seen.
 */
export class WatchedFile {
  /** What it held when it was made. */
  readonly first: FileText;
  readonly #path: string;
  readonly #onChange: (file: FileText) => void;
  readonly #poll: NodeJS.Timeout;
  #watcher: FSWatcher | null = null;
  #debounce: NodeJS.Timeout | null = null;
  #seen: string;

  constructor({ path, onChange, pollMs = 2000 }: WatchedFileOptions) {
    this.#path = resolve(path);
    this.#onChange = onChange;
    this.first = readText(this.#path);
    this.#seen = seenOf(this.first);
    this.#poll = setInterval(() => this.#look(), pollMs);
    this.#poll.unref();
    this.#watch();
  }

  close(): void {
    this.#watcher?.close();
    clearInterval(this.#poll);
    if (this.#debounce) clearTimeout(this.#debounce);
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
    const file = readText(this.#path);
    const seen = seenOf(file);
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#onChange(file);
  }
}

export function readText(path: string): FileText {
  try {
    return { ok: true, text: readFileSync(path, 'utf8') };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

const seenOf = (file: FileText): string => (file.ok ? file.text : `cannot read: ${file.reason}`);
