import type { INestApplication, Type } from '@nestjs/common';
import type { Health, ServiceStatus } from '@sluice/contracts';
import { mergeMetrics, NO_TRACING } from '@sluice/telemetry';
import type { AdminGate, AdminRequest } from './admin/admin-gate.ts';
import { openApiDocument, swaggerUiFile, swaggerUiPage } from './openapi.ts';
import { problemOf } from './problem.ts';
import type { Service, ServiceContext } from './service.ts';
import { traceRoutes } from './trace-routes.ts';

/** The part of Fastify that is used here. */
export interface HttpServer {
  get(path: string, handler: HttpHandler): unknown;
  post(path: string, handler: HttpHandler): unknown;
}
type HttpHandler = (request: HttpRequest, reply: HttpReply) => Promise<unknown>;
export interface HttpRequest extends AdminRequest {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}
export interface HttpReply {
  code(status: number): HttpReply;
  headers(values: Readonly<Record<string, string>>): HttpReply;
  type(mediaType: string): HttpReply;
}

export interface HostedService {
  readonly context: ServiceContext;
  readonly service: Service;
}

const DRAINING: ServiceStatus = { ready: false, checks: { drain: { ok: false, detail: 'leaving' } } };

/** `draining` is asked at each request: once it is true, no service is ready. */
export interface PlatformOptions {
  readonly app: INestApplication;
  readonly draining: () => boolean;
  readonly startedAtMs: number;
  readonly version: string;
  readonly gate: AdminGate;
}

const statusOf = (service: Service, draining: boolean): ServiceStatus => (draining ? DRAINING : service.status());

/** `/healthz`, `/readyz`, `/metrics`, `/traces`, `/openapi.json` and `/docs` of one service, below `base` (empty or `/<name>`). */
export function servicePlatformRoutes(
  http: HttpServer,
  base: string,
  hosted: HostedService,
  title: string,
  options: PlatformOptions,
): void {
  const { service, context } = hosted;
  http.get(`${base}/healthz`, async () => health(service.name, options.startedAtMs));
  http.get(`${base}/readyz`, async (_request, reply) => {
    const status = statusOf(service, options.draining());
    reply.code(status.ready ? 200 : 503);
    return status;
  });
  http.get(`${base}/metrics`, async (_request, reply) => {
    reply.type(context.metrics.contentType);
    return context.metrics.text();
  });
  traceRoutes(forReaders(http, options.gate), base, context.tracing ?? NO_TRACING);
  let document: ReturnType<typeof openApiDocument> | undefined;
  http.get(`${base}/openapi.json`, async () => {
    document ??= openApiDocument(options.app, service.module.module as Type, { title, version: options.version, base });
    return document;
  });
  http.get(`${base}/docs`, async (_request, reply) => {
    reply.type('text/html; charset=utf-8');
    return swaggerUiPage(title);
  });
  http.get(`${base}/docs/:file`, async (request, reply) => {
    const file = await swaggerUiFile((request.params as { file: string }).file);
    if (file) {
      reply.type(file.type);
      return file.content;
    }
    reply.code(404);
    const { message, type, code } = problemOf({ statusCode: 404 });
    return { error: { message, type, code } };
  });
}

/** `http` with routes that are only for those who may read. */
function forReaders(http: HttpServer, gate: AdminGate): HttpServer {
  const guarded =
    (handler: HttpHandler): HttpHandler =>
    async (request, reply) => {
      try {
        gate.check(request, 'read');
      } catch (error) {
        const { status, message, type, code, headers } = problemOf(error);
        reply.code(status).headers(headers);
        return { error: { message, type, code } };
      }
      return handler(request, reply);
    };
  return {
    get: (path, handler) => http.get(path, guarded(handler)),
    post: (path, handler) => http.post(path, guarded(handler)),
  };
}

/** `/healthz`, `/readyz` and `/metrics` of all services of a process. */
export function aggregateRoutes(http: HttpServer, services: readonly HostedService[], options: PlatformOptions): void {
  http.get('/healthz', async () => health('sluice', options.startedAtMs));
  http.get('/readyz', async (_request, reply) => {
    const statuses = services.map(({ service }) => [service.name, statusOf(service, options.draining())] as const);
    const ready = statuses.every(([, status]) => status.ready);
    reply.code(ready ? 200 : 503);
    return { ready, services: Object.fromEntries(statuses) };
  });
  http.get('/metrics', async (_request, reply) => {
    reply.type(services[0]!.context.metrics.contentType);
    return mergeMetrics([...new Set(services.map(({ context }) => context.metrics))]);
  });
}

const health = (service: string, startedAtMs: number): Health => ({
  status: 'ok',
  service,
  uptimeS: Math.round((Date.now() - startedAtMs) / 1000),
});
