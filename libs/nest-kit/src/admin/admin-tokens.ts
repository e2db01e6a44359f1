import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { ConfigError } from '../config.ts';
import { secretField } from '../fields.ts';

/** Tokens of an admin API, as configured; null: none. */
export interface AdminTokenSettings {
  readonly token: string | null;
  /** Goes before `token`. */
  readonly tokenFile: string | null;
  readonly readToken: string | null;
}

/** The settings of {@link AdminTokens} in a parsed configuration. */
export const adminTokensOf = (config: {
  readonly SLUICE_ADMIN_TOKEN?: string | undefined;
  readonly SLUICE_ADMIN_TOKEN_FILE?: string | undefined;
  readonly SLUICE_ADMIN_READ_TOKEN?: string | undefined;
}): AdminTokenSettings => ({
  token: config.SLUICE_ADMIN_TOKEN ?? null,
  tokenFile: config.SLUICE_ADMIN_TOKEN_FILE ?? null,
  readToken: config.SLUICE_ADMIN_READ_TOKEN ?? null,
});

/** The tokens that an admin API takes. Only digests are kept, and compared in constant time. */
export class AdminTokens {
  readonly #file: string | null;
  readonly #read: Buffer | null;
  #change: Buffer | null;
  #fileChangedAtMs = 0;

  /** @throws ConfigError when the file has no usable token, or only reads are protected. */
  constructor({ token, tokenFile, readToken }: AdminTokenSettings) {
    this.#file = tokenFile;
    this.#read = readToken === null ? null : digest(readToken);
    this.#change = token === null ? null : digest(token);
    if (tokenFile !== null) {
      const error = this.#readFile(tokenFile);
      if (error !== null) throw new ConfigError([`SLUICE_ADMIN_TOKEN_FILE: ${error}`]);
    }
    if (this.#read !== null && this.#change === null) {
      throw new ConfigError(['SLUICE_ADMIN_READ_TOKEN: needs SLUICE_ADMIN_TOKEN or SLUICE_ADMIN_TOKEN_FILE beside it']);
    }
  }

  get protectsChanges(): boolean {
    return this.#change !== null;
  }

  get protectsReads(): boolean {
    return this.#read !== null;
  }

  /** Whether `token` may change state. */
  mayChange(token: string | null): boolean {
    this.#follow();
    return token !== null && this.#change !== null && timingSafeEqual(digest(token), this.#change);
  }

  /** Whether `token` may read, where reads are protected. */
  mayRead(token: string | null): boolean {
    if (token === null || this.#read === null) return false;
    // Both are compared, whatever the first says.
    const isReader = timingSafeEqual(digest(token), this.#read);
    return this.mayChange(token) || isReader;
  }

  /** Takes over a token that was replaced in its file; the last good one stays in force while the file has none. */
  #follow(): void {
    if (this.#file === null) return;
    const changedAtMs = statSync(this.#file, { throwIfNoEntry: false })?.mtimeMs;
    if (changedAtMs !== undefined && changedAtMs !== this.#fileChangedAtMs) this.#readFile(this.#file);
  }

  /** Returns what is wrong with the file, or null. */
  #readFile(path: string): string | null {
    try {
      this.#fileChangedAtMs = statSync(path).mtimeMs;
      const parsed = secretField().safeParse(readFileSync(path, 'utf8').trim());
      if (!parsed.success) return `its content ${parsed.error.issues[0]!.message}`;
      this.#change = digest(parsed.data);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  }
}

const digest = (token: string): Buffer => createHash('sha256').update(token).digest();
