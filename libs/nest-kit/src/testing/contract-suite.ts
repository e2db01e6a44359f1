import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { problemSchema } from '@sluice/contracts';
import { z } from 'zod';
import type { RunningAdmin } from '../service.ts';

export interface ContractOptions {
  /** Starts the real service, with {@link token} as its admin token. */
  readonly start: (token: string) => Promise<RunningAdmin>;
  /** Values of path parameters that the started service knows. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Query of routes that need one, by path. */
  readonly queries?: Readonly<Record<string, string>>;
  /** Bodies of routes that take one, by `METHOD /path`. */
  readonly bodies?: Readonly<Record<string, object>>;
  /** Routes that answer something else than a success in the started service, with the status, by `METHOD /path`. */
  readonly otherStatus?: Readonly<Record<string, number>>;
}

interface Declared {
  readonly security?: readonly Record<string, unknown>[];
  readonly responses: Readonly<Record<string, { content?: Readonly<Record<string, { schema: object }>> }>>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Declared>>>>;
  readonly components: { readonly securitySchemes: Readonly<Record<string, object>> };
}

const TOKEN = 'token-of-the-contract-suite';
const UNKNOWN = 'no-such-thing';

/**
 * What every admin API does: its OpenAPI document has every route that the service answers and no other; each answers as
 * the document says; what is wrong is answered with a problem; what changes state asks for the token.
 */
export function contractSuite(name: string, options: ContractOptions): void {
  describe(`admin contract: ${name}`, () => {
    let running: RunningAdmin | null = null;
    let document: Document;
    beforeAll(async () => {
      running = await options.start(TOKEN);
      document = (await (await fetch(`${running!.url}/openapi.json`)).json()) as Document;
    });
    afterAll(() => running?.close());

    const operations = () =>
      Object.entries(document.paths).flatMap(([path, item]) =>
        Object.entries(item).map(([method, declared]) => ({ path, method: method.toUpperCase(), declared })),
      );
    const call = (method: string, path: string, init: { token?: string | null; body?: object } = {}) => {
      const { token = TOKEN, body } = init;
      return fetch(`${running!.url}${path}`, {
        method,
        headers: {
          ...(token !== null && { authorization: `Bearer ${token}` }),
          ...(body && { 'content-type': 'application/json' }),
        },
        ...(body && { body: JSON.stringify(body) }),
      });
    };
    const filled = (path: string, value?: string): string =>
      path.replace(/{(\w+)}/g, (_all, parameter: string) => value ?? options.parameters?.[parameter] ?? UNKNOWN);

    it('has every route of the service in its document, and no other', () => {
      expect(document.openapi).toBe('3.1.0');
      expect(document.components.securitySchemes).toMatchObject({ token: { type: 'http', scheme: 'bearer' } });
      const declared = operations().map(({ method, path }) => `${method} ${path.replace(/{(\w+)}/g, ':$1')}`);
      const answered = running!.routes.filter((route) => !/^(HEAD|OPTIONS) |\*/.test(route));
      expect(declared.sort()).toEqual([...new Set(answered)].sort());
    });

    it('answers every route as its document says', async () => {
      for (const { method, path, declared } of operations()) {
        const route = `${method} ${path}`;
        const body = options.bodies?.[route];
        const answer = await call(method, filled(path) + (options.queries?.[path] ?? ''), body && { body });
        const expected = options.otherStatus?.[route];
        if (expected === undefined) expect([route, answer.ok]).toEqual([route, true]);
        else expect([route, answer.status]).toEqual([route, expected]);
        await expectDeclared(route, declared, answer);
      }
    });

    it('answers what is wrong with a problem', async () => {
      for (const { method, path } of operations()) {
        if (path.startsWith('/v1/')) continue; // protobuf, as OTLP demands
        const isUnknown = path.includes('{');
        const wrong = isUnknown || method === 'GET' ? `${filled(path, UNKNOWN)}?unknown=1` : path;
        const answer = await call(method, wrong, method === 'GET' ? {} : { body: [] });
        if (method === 'GET' && answer.ok) {
          await answer.body?.cancel(); // takes no parameters
          continue;
        }
        expect([`${method} ${path}`, answer.status >= 400 && answer.status < 500]).toEqual([`${method} ${path}`, true]);
        problemSchema.strict().parse(await answer.json());
      }
      const missing = await call('GET', `/${UNKNOWN}`);
      expect(missing.status).toBe(404);
      problemSchema.strict().parse(await missing.json());
    });

    it('asks for the token on exactly what its document says changes state', async () => {
      for (const { method, path, declared } of operations()) {
        const changes = declared.security?.length === 1;
        expect([path, changes]).toEqual([path, changes && method !== 'GET']);
        if (!changes) continue;
        for (const token of [null, 'another-token-0123456789']) {
          const answer = await call(method, filled(path), { token, body: {} });
          expect([path, answer.status]).toEqual([path, 401]);
          expect(answer.headers.get('www-authenticate')).toBe('Bearer');
          problemSchema.strict().parse(await answer.json());
        }
      }
    });
  });
}

async function expectDeclared(route: string, { responses }: Declared, answer: Response): Promise<void> {
  const declared = responses[answer.status] ?? responses[`${String(answer.status)[0]}XX`];
  if (declared === undefined) throw new Error(`${route} answers ${answer.status}, which its document does not know`);
  const [type = '', content] = Object.entries(declared.content ?? {})[0] ?? [];
  if (type === 'text/event-stream') {
    expect(answer.headers.get('content-type')).toContain(type);
    await answer.body?.cancel();
    return;
  }
  const text = await answer.text();
  if (type !== 'application/json') return;
  const parsed = z.fromJSONSchema(content!.schema as z.core.JSONSchema.JSONSchema).safeParse(JSON.parse(text));
  if (!parsed.success)
    throw new Error(`${route} answers what its document does not say: ${z.prettifyError(parsed.error)}`);
}
