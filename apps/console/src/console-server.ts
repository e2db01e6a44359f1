import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RunningService } from '@sluice/nest-kit';
import type { Logger } from '@sluice/telemetry';
import { AdminProxy, sendProblem } from './admin-proxy.ts';
import { routersOf } from './config.ts';
import type { ConsoleConfig } from './config.ts';
import { LiveMerge } from './live-merge.ts';
import { PageFiles } from './page-files.ts';
import { sendServices } from './service-states.ts';

/**
 * The console as a process of its own: the page, the admin APIs of the configured services below `/<service>/`, so that
 * the page finds them where standalone has them, at `/services` the state of each, and at `/live` the live streams of all routers as one. Plain HTTP without Nest: it needs no bus, no store and no module.
 */
export async function startConsole(
  config: ConsoleConfig,
  logger: Logger,
  files = new PageFiles([...config.services.keys()]),
): Promise<RunningService> {
  const proxy = new AdminProxy(config.services);
  const live = new LiveMerge(routersOf(config.services));
  const startedAtMs = Date.now();
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0]!;
    if (path === '/healthz' || path === '/readyz') return sendHealth(response, path, startedAtMs);
    if (path === '/services' && request.method === 'GET') {
      return void sendServices(config.services, request, response);
    }
    if (path === '/live' && request.method === 'GET') return live.answer(request, response);
    if (sendPage(files, path, request, response) || proxy.pass(request, response)) return;
    sendProblem(response, 404, 'not_found', `nothing is served at ${path}`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { address, port, family } = server.address() as AddressInfo;
  const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  logger.info({ url, services: Object.fromEntries(config.services) }, 'console is open');
  return {
    url,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Live streams never end by themselves.
      server.closeAllConnections();
      proxy.close();
      live.close();
      await closed;
    },
  };
}

function sendPage(files: PageFiles, path: string, request: IncomingMessage, response: ServerResponse): boolean {
  const { method, headers } = request;
  const encodings = String(headers['accept-encoding'] ?? '');
  const answer = files.answer(path, { encodings, ifNoneMatch: headers['if-none-match'] ?? null });
  if (answer === null) return false;
  if (method !== 'GET' && method !== 'HEAD') {
    sendProblem(response, 405, 'method_not_allowed', 'the console only reads', { allow: 'GET, HEAD' });
    return true;
  }
  response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
  response.end(method === 'HEAD' ? undefined : answer.body);
  return true;
}

function sendHealth(response: ServerResponse, path: '/healthz' | '/readyz', startedAtMs: number): void {
  const uptimeS = Math.round((Date.now() - startedAtMs) / 1000);
  const body =
    path === '/healthz'
      ? { status: 'ok', service: 'console', uptimeS }
      : { ready: true, checks: { page: { ok: true, detail: 'served' } } };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
