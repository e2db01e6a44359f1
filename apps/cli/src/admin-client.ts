import type { ServiceStatus } from '@sluice/contracts';
import { reasonOf } from './reason.ts';

/** An admin API that cannot be used, in words for its user; `status` is its HTTP answer, null when there was none. */
export class AdminError extends Error {
  readonly status: number | null;

  constructor(message: string, status: number | null = null) {
    super(message);
    this.status = status;
  }
}

/** Whether nobody answered, or nobody but a console in front of it: others may still be asked. */
export const isUnanswered = (error: unknown): error is AdminError =>
  error instanceof AdminError && (error.status === null || error.status >= 500);

/** Whether a service is a router: `router`, or `router-` and anything, where a console stands in front of several. */
const isRouter = (service: string): boolean => service === 'router' || service.startsWith('router-');

const TIMEOUT_MS = 10_000;

/** The admin port of a process: of one service, or of several below `/<service>/`; or a console, which passes reads on. */
export class AdminClient {
  readonly origin: string;
  readonly services: ReadonlyMap<string, ServiceStatus>;
  readonly #hasSeveral: boolean;
  readonly #token: string | null;

  private constructor(
    origin: string,
    services: ReadonlyMap<string, ServiceStatus>,
    hasSeveral: boolean,
    token: string | null,
  ) {
    this.origin = origin;
    this.services = services;
    this.#hasSeveral = hasSeveral;
    this.#token = token;
  }

  /**
   * Asks who is there.
   * @param token sent as a bearer token with every request; null: none
   * @throws AdminError when nobody is, or somebody else
   */
  static async connect(origin: string, token: string | null): Promise<AdminClient> {
    const status = await askJson(`${origin}/readyz`, { token, expected: [200, 503] }).catch((error: unknown) => {
      throw error instanceof AdminError && error.status === 404 ? notAdmin(origin) : error;
    });
    if (isRecord(status['services'])) {
      const services = new Map(Object.entries(status['services'] as Record<string, ServiceStatus>));
      return new AdminClient(origin, services, true, token);
    }
    const { service } = await askJson(`${origin}/healthz`, { token });
    if (service === 'console') {
      const { services } = await askJson(`${origin}/services`, { token });
      return new AdminClient(origin, new Map(Object.entries(services as Record<string, ServiceStatus>)), true, token);
    }
    if (typeof service !== 'string' || !isRecord(status['checks'])) throw notAdmin(origin);
    return new AdminClient(origin, new Map([[service, status as unknown as ServiceStatus]]), false, token);
  }

  /**
   * `GET path` of a service's admin API.
   * @throws AdminError with the status when the answer is not 200, and when the service is not there
   */
  async get<T>(service: string, path: string): Promise<T> {
    return (await askJson(this.#urlOf(service, path), { token: this.#token })) as T;
  }

  /** `POST path` with a JSON body. @throws AdminError as {@link get} */
  async post<T>(service: string, path: string, body: object): Promise<T> {
    return (await askJson(this.#urlOf(service, path), { token: this.#token, body })) as T;
  }

  /** Another method that changes something. @param version that must be in force, or null. @throws AdminError as {@link get} */
  async change<T>(
    service: string,
    method: 'POST' | 'PUT' | 'PATCH',
    path: string,
    body: object,
    version: number | null,
  ): Promise<T> {
    const headers = version === null ? {} : { 'if-match': `"${version}"` };
    return (await askJson(this.#urlOf(service, path), { token: this.#token, body, method, headers })) as T;
  }

  /** Names of the routers among the services. */
  get routers(): readonly string[] {
    return [...this.services.keys()].filter(isRouter);
  }

  /** Whether a service that a console stands in front of answered it; of other admin ports it did. */
  isReached(service: string): boolean {
    return this.services.get(service)?.checks['reached']?.ok !== false;
  }

  #urlOf(service: string, path: string): string {
    const status = this.services.get(service);
    if (status === undefined) {
      const found = [...this.services.keys()].join(', ');
      const where = service === 'router' ? '' : ': give its own address, or that of a console, as --admin';
      throw new AdminError(`${this.origin} is the admin API of ${found}, not of a ${service}${where}`);
    }
    // A console has tried already, and would try for long what does not answer at all.
    if (!this.isReached(service)) {
      throw new AdminError(`${service} cannot be reached: ${status.checks['reached']!.detail}`, 502);
    }
    return `${this.origin}${this.#hasSeveral ? `/${service}` : ''}${path}`;
  }
}

interface Ask {
  readonly token: string | null;
  /** Statuses that are no failure; default: 200. */
  readonly expected?: readonly number[];
  /** Posted where there is one. */
  readonly body?: object;
  /** Default: POST with a body, else GET. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function askJson(url: string, ask: Ask): Promise<Record<string, unknown>> {
  const { token, expected = [200], body: sent, method = sent === undefined ? 'GET' : 'POST' } = ask;
  const { origin } = new URL(url);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method,
      headers: {
        ...ask.headers,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(sent === undefined ? {} : { body: JSON.stringify(sent) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (error) {
    throw new AdminError(
      `cannot reach ${origin}: ${reasonOf(error, TIMEOUT_MS)}. Is Sluice running? 'sluice up' starts it; elsewhere its admin API is given by --admin URL or SLUICE_ADMIN_PORT.`,
    );
  }
  const body = parsed(text);
  if (!expected.includes(response.status)) {
    const { message } = isRecord(body?.['error']) ? body['error'] : { message: null };
    const hint = response.status === 401 ? '. Give its token as --token TOKEN or SLUICE_ADMIN_TOKEN.' : '';
    throw new AdminError(
      `${url} answers ${response.status}${message ? `: ${String(message)}` : ''}${hint}`,
      response.status,
    );
  }
  if (body === null) throw notAdmin(origin);
  return body;
}

const notAdmin = (origin: string): AdminError =>
  new AdminError(`${origin} does not speak as an admin API of Sluice. Is it the data plane, or another server?`);

function parsed(text: string): Record<string, unknown> | null {
  try {
    const body: unknown = JSON.parse(text);
    return isRecord(body) ? body : null;
  } catch {
    return null;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
