import type { Access } from '../operation.ts';
import { Problem } from '../problem.ts';
import type { AdminTokens } from './admin-tokens.ts';

/** The part of a Fastify request that is used here. */
export interface AdminRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

const READING_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Who may do what. What changes state needs the admin token; without one it is open to this machine alone, and there only
 * to what is no web page of somebody else's. Reads are open unless they have a token of their own. The rules for users
 * are in docs/admin-api.md.
 */
export class AdminGate {
  readonly #tokens: AdminTokens;
  readonly #host: string;

  /** @param host address that the admin API listens on */
  constructor(tokens: AdminTokens, host: string) {
    this.#tokens = tokens;
    this.#host = host;
  }

  /** @param access what the route does; null: what its method says. @throws Problem 401 or 403 when it may not */
  check(request: AdminRequest, access: Access | null): void {
    const asked = access ?? accessByMethod(request.method);
    if (asked === 'change') this.#mayChange(request);
    else if (asked === 'read') this.#mayRead(request);
  }

  #mayRead(request: AdminRequest): void {
    if (!this.#tokens.protectsReads) return;
    const token = bearerOf(request);
    if (!this.#tokens.mayRead(token)) throw unauthorized(token, 'Reads need the admin token or the read token');
  }

  #mayChange(request: AdminRequest): void {
    if (this.#tokens.protectsChanges) {
      const token = bearerOf(request);
      if (!this.#tokens.mayChange(token)) throw unauthorized(token, 'This changes state and needs the admin token');
      return;
    }
    if (!isLoopback(this.#host)) {
      throw new Problem(
        403,
        'no_admin_token',
        `This changes state: without an admin token that is allowed only while the admin API listens on a loopback ` +
          `address, and it listens on ${this.#host}. Set SLUICE_ADMIN_TOKEN or SLUICE_ADMIN_TOKEN_FILE`,
      );
    }
    if (isForeign(request)) {
      throw new Problem(403, 'foreign_origin', 'This changes state, and a web page of another origin asks for it');
    }
  }
}

/** What a route of `method` does unless it says otherwise. */
export const accessByMethod = (method: string): Access => (READING_METHODS.has(method) ? 'read' : 'change');

function unauthorized(token: string | null, message: string): Problem {
  const how = token === null ? 'send it as Authorization: Bearer TOKEN' : 'the one that was sent is another';
  return new Problem(401, 'unauthorized', `${message}; ${how}`, { headers: { 'www-authenticate': 'Bearer' } });
}

function bearerOf({ headers }: AdminRequest): string | null {
  const value = headers['authorization'];
  const match = typeof value === 'string' ? /^Bearer +(\S+) *$/i.exec(value) : null;
  return match?.[1] ?? null;
}

/** Whether only this machine can reach a server that listens on `host`. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

/** A browser's request for a page of somebody else's: from another origin, or by a name that is made to mean this machine. */
function isForeign({ headers }: AdminRequest): boolean {
  const { origin, host } = headers;
  const own = typeof host === 'string' ? host : '';
  const name = URL.canParse(`http://${own}`) ? new URL(`http://${own}`).hostname.replace(/^\[|\]$/g, '') : own;
  if (!isLoopback(name)) return true;
  return typeof origin === 'string' && origin !== `http://${own}` && origin !== `https://${own}`;
}
