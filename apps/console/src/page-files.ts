import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { runbookPage } from './runbook-page.ts';

/** Everything that the page consists of, by its path, with its media type. */
export const PAGE_PATHS = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/app.js': ['app.js', 'text/javascript; charset=utf-8'],
  '/style.css': ['style.css', 'text/css; charset=utf-8'],
  '/theme.js': ['theme.js', 'text/javascript; charset=utf-8'],
  '/runbook': ['runbook.md', 'text/html; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
} as const;

/** Services of a process that has all of them, as the built page names them. */
const ALL_IN_ONE = ['router', 'kv-index', 'event-bridge', 'latency-predictor'];
const BUILT = fileURLToPath(new URL('../public/', import.meta.url));

/** Nothing but our own files is loaded, and nobody frames the page. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  // Asked for again each time, and answered 304: a page of the last release must not speak to this one.
  'cache-control': 'no-cache',
  vary: 'accept-encoding',
} as const;

export interface PageAnswer {
  readonly status: 200 | 304;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface PageFile {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly gzip: Buffer;
}

/** The built page, in memory: it is small. */
export class PageFiles {
  readonly #files: ReadonlyMap<string, PageFile>;

  /**
   * @param services names below which the page finds the admin APIs; plain enough to stand in an attribute
   * @throws Error when the page was not built
   */
  constructor(services: readonly string[] = ALL_IN_ONE, folder: string = BUILT) {
    this.#files = new Map(
      Object.entries(PAGE_PATHS).map(([path, [name, type]]) => {
        const built = readFileSync(join(folder, name));
        const plain = pageOf(path, built, services);
        const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
        return [path, { type, etag, plain, gzip: gzipSync(plain, { level: 9 }) }];
      }),
    );
  }

  /** What is served at a path; null: nothing. */
  answer(path: string, asked: { readonly encodings: string; readonly ifNoneMatch: string | null }): PageAnswer | null {
    const file = this.#files.get(path);
    if (file === undefined) return null;
    const headers = { ...HEADERS, etag: file.etag, 'content-type': file.type };
    if (asked.ifNoneMatch === file.etag) return { status: 304, headers, body: Buffer.alloc(0) };
    if (!/\bgzip\b/.test(asked.encodings)) return { status: 200, headers, body: file.plain };
    return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: file.gzip };
  }
}

function pageOf(path: string, built: Buffer, services: readonly string[]): Buffer {
  if (path === '/') return namingServices(built, services);
  return path === '/runbook' ? Buffer.from(runbookPage(String(built))) : built;
}

/** The page with the services that it is to ask: known with its first byte, not after a question of its own. */
const namingServices = (page: Buffer, services: readonly string[]): Buffer =>
  Buffer.from(String(page).replace(/(<meta name="services" content=")[^"]*/, `$1${services.join(',')}`));
