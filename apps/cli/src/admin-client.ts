import type { ServiceStatus } from '@sluice/contracts';

/** An admin API that cannot be used, in words for its user; `status` is its HTTP answer, null when there was none. */
export class AdminError extends Error {
  readonly status: number | null;

  constructor(message: string, status: number | null = null) {
    super(message);
    this.status = status;
  }
}

const TIMEOUT_MS = 10_000;

/** The admin port of a process: of one service, or of several below `/<service>/`. */
export class AdminClient {
  readonly origin: string;
  readonly services: ReadonlyMap<string, ServiceStatus>;
  readonly #hasSeveral: boolean;

  private constructor(origin: string, services: ReadonlyMap<string, ServiceStatus>, hasSeveral: boolean) {
    this.origin = origin;
    this.services = services;
    this.#hasSeveral = hasSeveral;
  }

  /** Asks who is there. @throws AdminError when nobody is, or somebody else */
  static async connect(origin: string): Promise<AdminClient> {
    const status = await getJson(`${origin}/readyz`, [200, 503]).catch((error: unknown) => {
      throw error instanceof AdminError && error.status === 404 ? notAdmin(origin) : error;
    });
    if (isRecord(status['services'])) {
      const services = new Map(Object.entries(status['services'] as Record<string, ServiceStatus>));
      return new AdminClient(origin, services, true);
    }
    const { service } = await getJson(`${origin}/healthz`);
    if (typeof service !== 'string' || !isRecord(status['checks'])) throw notAdmin(origin);
    return new AdminClient(origin, new Map([[service, status as unknown as ServiceStatus]]), false);
  }

  /**
   * `GET path` of a service's admin API.
   * @throws AdminError with the status when the answer is not 200, and when the service is not there
   */
  get<T>(service: string, path: string): Promise<T> {
    if (!this.services.has(service)) {
      const found = [...this.services.keys()].join(', ');
      throw new AdminError(`${this.origin} is the admin API of ${found}, not of a ${service}`);
    }
    return getJson(`${this.origin}${this.#hasSeveral ? `/${service}` : ''}${path}`) as Promise<T>;
  }
}

async function getJson(url: string, expected: readonly number[] = [200]): Promise<Record<string, unknown>> {
  const { origin } = new URL(url);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    text = await response.text();
  } catch (error) {
    throw new AdminError(
      `cannot reach ${origin}: ${reasonOf(error)}. Is Sluice running? Its admin API is given by --admin URL or SLUICE_ADMIN_PORT.`,
    );
  }
  const body = parsed(text);
  if (!expected.includes(response.status)) {
    const { message } = isRecord(body?.['error']) ? body['error'] : { message: null };
    throw new AdminError(`${url} answers ${response.status}${message ? `: ${String(message)}` : ''}`, response.status);
  }
  if (body === null) throw notAdmin(origin);
  return body;
}

const notAdmin = (origin: string): AdminError =>
  new AdminError(`${origin} does not speak as an admin API of Sluice. Is it the data plane, or another server?`);

/** fetch says "fetch failed" and hides why in its cause. */
function reasonOf(error: unknown): string {
  const { name, message, cause } = error as { name?: string; message?: string; cause?: unknown };
  if (name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  if (!isRecord(cause)) return message ?? String(error);
  return cause['code'] === 'ECONNREFUSED' ? 'connection refused' : String(cause['message'] ?? cause['code']);
}

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
