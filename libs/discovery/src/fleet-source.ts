import type { Fleet } from '@sluice/model';
import { dirname, resolve } from 'node:path';
import { parseFleet } from './parse-fleet.ts';
import { WatchedFile } from './watched-file.ts';
import type { FileText } from './watched-file.ts';

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
  readonly #options: WatchFleetOptions;
  readonly #listeners = new Set<(fleet: Fleet) => void>();
  readonly #file: WatchedFile;
  #fleet: Fleet;

  constructor(options: WatchFleetOptions) {
    this.#options = options;
    const { path, pollMs } = options;
    this.#file = new WatchedFile({
      path,
      onChange: (file) => this.#take(file),
      ...(pollMs !== undefined && { pollMs }),
    });
    const parsed = this.#parse(this.#file.first, 1);
    if (!parsed.ok) {
      this.#file.close();
      throw new FleetFileError(path, parsed.errors);
    }
    this.#fleet = parsed.fleet;
    if (options.onChange) this.#listeners.add(options.onChange);
  }

  current(): Fleet {
    return this.#fleet;
  }

  subscribe(listener: (fleet: Fleet) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#file.close();
    this.#listeners.clear();
  }

  #take(file: FileText): void {
    const parsed = this.#parse(file, this.#fleet.version + 1);
    if (!parsed.ok) {
      this.#options.onError(parsed.errors);
      return;
    }
    this.#fleet = parsed.fleet;
    for (const listener of this.#listeners) listener(parsed.fleet);
  }

  #parse(file: FileText, version: number): ReturnType<typeof parseFleet> {
    if (!file.ok) return { ok: false, errors: [file.reason] };
    return parseFleet(file.text, { baseDir: dirname(resolve(this.#options.path)), version });
  }
}
