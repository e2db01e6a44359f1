import type { IncomingHttpHeaders } from 'node:http';

/** Names that belong to one connection and not to the message (RFC 9110, 7.6.1), and what the client stack sets itself. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Set anew for the engine. Without `accept-encoding` the answer stays readable for the tap. */
const NOT_FORWARDED: ReadonlySet<string> = new Set(['host', 'content-length', 'expect', 'accept-encoding']);

/** Header names listed in `Connection` belong to the connection too. */
function listedIn(connection: HeaderValue): ReadonlySet<string> | null {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return null;
  return new Set(
    headerText(connection)
      .split(',')
      .map((name) => name.trim().toLowerCase()),
  );
}

/** A header as it comes from an engine: any may be repeated, also those that Node's types take for single. */
export type HeaderValue = string | readonly string[] | undefined;

/** The value of a header, with repeated ones in one list; empty when it is absent. */
export const headerText = (value: HeaderValue): string =>
  typeof value === 'string' ? value : (value?.join(', ') ?? '');

/** Client headers to send to an engine, as a flat list name, value, ... `strip(name)`: lower-case names to drop. */
export function requestHeaders(headers: IncomingHttpHeaders, strip: (name: string) => boolean): string[] {
  const listed = listedIn(headers.connection);
  const out: string[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || HOP_BY_HOP.has(name) || NOT_FORWARDED.has(name)) continue;
    if (listed?.has(name) === true || strip(name)) continue;
    out.push(name, typeof value === 'string' ? value : value.join(', '));
  }
  return out;
}

/**
 * Engine headers to send to the client below those in `add`, as a flat list; repeated headers stay repeated.
 * @param without lower-case name of one more to leave out
 */
export function responseHeaders(
  headers: IncomingHttpHeaders,
  add: readonly string[],
  without: string | null = null,
): string[] {
  const listed = listedIn(headers.connection);
  const out = [...add];
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || HOP_BY_HOP.has(name) || name === without || listed?.has(name) === true) continue;
    if (isNamed(add, name)) continue;
    if (typeof value === 'string') out.push(name, value);
    else for (const one of value) out.push(name, one);
  }
  return out;
}

/** Whether the flat list has a header of that name. */
function isNamed(list: readonly string[], name: string): boolean {
  for (let i = 0; i < list.length; i += 2) if (list[i] === name) return true;
  return false;
}
