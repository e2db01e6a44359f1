import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServiceStatus } from '@sluice/contracts';

const TIMEOUT_MS = 3000;

/** Answers with the state of every service as it says itself, by its name; of one that does not, why. */
export async function sendServices(
  services: ReadonlyMap<string, string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { authorization } = request.headers;
  const headers = authorization === undefined ? {} : { authorization };
  const states = await Promise.all(
    [...services].map(async ([name, base]) => [name, await stateOf(base, headers)] as const),
  );
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify({ services: Object.fromEntries(states) }));
}

async function stateOf(base: string, headers: Readonly<Record<string, string>>): Promise<ServiceStatus> {
  try {
    const answer = await fetch(`${base}/readyz`, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    // Not ready is an answer too.
    if (answer.ok || answer.status === 503) return (await answer.json()) as ServiceStatus;
    return unreached(`${base} answers ${answer.status}`);
  } catch (error) {
    const { message, cause } = error as Error & { cause?: Error };
    return unreached(`${base} does not answer: ${cause?.message ?? message}`);
  }
}

const unreached = (detail: string): ServiceStatus => ({ ready: false, checks: { reached: { ok: false, detail } } });
