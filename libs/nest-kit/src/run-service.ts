import 'reflect-metadata';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory, RouterModule } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from '@sluice/telemetry';
import { AdminGate } from './admin/admin-gate.ts';
import { AdminGuard } from './admin/admin-guard.ts';
import { AdminTokens } from './admin/admin-tokens.ts';
import type { AdminTokenSettings } from './admin/admin-tokens.ts';
import { busMetrics } from './bus-metrics.ts';
import { BusTransport } from './bus-transport.ts';
import { nestLogger } from './nest-logger.ts';
import { aggregateRoutes, servicePlatformRoutes } from './platform-routes.ts';
import type { HostedService, HttpServer, PlatformOptions } from './platform-routes.ts';
import { ProblemFilter } from './problem.ts';
import type { RunningAdmin, Service, ServiceContext } from './service.ts';
import { storeMetrics } from './store-metrics.ts';

/** Where the admin HTTP server listens and how long it waits. */
export interface AdminOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Default: none, and state may be changed from this machine alone. */
  readonly tokens?: AdminTokenSettings;
  /** Version shown by the OpenAPI document. Default `0.1.0`. */
  readonly version?: string;
  /** How long {@link RunningService.close} waits for each part to end: the services' work, the server, the bus, the store. Default 10,000. */
  readonly drainMs?: number;
}

export interface RunServiceOptions extends AdminOptions {
  readonly context: ServiceContext;
  readonly service: Service;
  /** Title of the OpenAPI document. */
  readonly title: string;
}

export interface RunServicesOptions extends AdminOptions {
  readonly services: readonly HostedService[];
  /** Modules beside the services', with absolute paths. */
  readonly extraModules?: readonly DynamicModule[];
}

/** Base of a Nest application: a module that only imports others. */
class RootModule {}

const NO_TOKENS: AdminTokenSettings = { token: null, tokenFile: null, readToken: null };

/** Bodies of admin requests are small. */
const ADMIN_BODY_BYTES = 1 << 20;

/**
 * Runs one service as a process of its own: admin controllers at `/`, `/healthz`, `/readyz`, `/metrics`, `/openapi.json`,
 * `/docs`, and its bus responders. Signals are {@link runMain}'s.
 */
export function runService(options: RunServiceOptions): Promise<RunningAdmin> {
  const hosted = { context: options.context, service: options.service };
  return run(options, [hosted], [options.service.module], (http, platform) => {
    servicePlatformRoutes(http, '', hosted, options.title, platform);
  });
}

/**
 * Runs several services in one process on one admin port: everything of a service is below `/<name>/`, and `/healthz`,
 * `/readyz` and `/metrics` speak for all. The services must share one bus.
 */
export function runServices(options: RunServicesOptions): Promise<RunningAdmin> {
  const { services } = options;
  const routes = services.map(({ service }) => ({ path: service.name, module: service.module.module as Type }));
  const modules = [
    ...services.map(({ service }) => service.module),
    ...(options.extraModules ?? []),
    RouterModule.register(routes),
  ];
  return run(options, services, modules, (http, platform) => {
    for (const hosted of services) {
      const { name } = hosted.service;
      servicePlatformRoutes(http, `/${name}`, hosted, `Sluice ${name}`, platform);
    }
    aggregateRoutes(http, services, platform);
  });
}

async function run(
  options: AdminOptions,
  services: readonly HostedService[],
  imports: DynamicModule[],
  routes: (http: HttpServer, platform: PlatformOptions) => void,
): Promise<RunningAdmin> {
  const first = services[0];
  if (!first) throw new RangeError('no service to run');
  const { bus, logger, metrics, store } = first.context;
  if (services.some(({ context }) => context.bus !== bus)) throw new RangeError('services of a process share one bus');

  const gate = new AdminGate(new AdminTokens(options.tokens ?? NO_TOKENS), options.host);
  const adapter = new FastifyAdapter({ bodyLimit: ADMIN_BODY_BYTES });
  const registered: string[] = [];
  adapter.getInstance().addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) registered.push(`${each} ${url}`);
  });
  const app = await NestFactory.create<NestFastifyApplication>({ module: RootModule, imports }, adapter, {
    logger: nestLogger(logger),
    abortOnError: false,
  });
  takeProtobuf(adapter);
  let draining = false;
  app.useGlobalFilters(new ProblemFilter(logger));
  app.useGlobalGuards(new AdminGuard(gate));
  routes(adapter.getInstance() as unknown as HttpServer, {
    app,
    draining: () => draining,
    startedAtMs: Date.now(),
    version: options.version ?? '0.1.0',
    gate,
  });
  busMetrics(metrics, bus);
  storeMetrics(metrics, store);
  app.connectMicroservice({ strategy: new BusTransport(bus) });

  let closing: Promise<void> | undefined;
  const shutDown = async (): Promise<void> => {
    draining = true;
    const drainMs = options.drainMs ?? 10_000;
    const bounded = (what: string, work: Promise<void>, limitMs = drainMs): Promise<void> =>
      withinDeadline(logger, limitMs, what, work);
    await Promise.all(
      services.map(({ service }) => bounded(service.name, service.stop(), service.stopLimitMs?.() ?? drainMs)),
    );
    await bounded('the admin server', app.close());
    // Requests that outlasted the deadline end here.
    app.getHttpServer().closeAllConnections();
    await bounded('the bus', bus.drain());
    await Promise.all(services.map(({ context }) => bounded('tracing', context.tracing?.close() ?? Promise.resolve())));
    const stores = new Set(services.map(({ context }) => context.store));
    await Promise.all([...stores].map((store) => bounded('the store', store.close())));
  };
  const close = (): Promise<void> => (closing ??= shutDown());

  try {
    await app.startAllMicroservices();
    await app.listen(options.port, options.host);
    for (const { service } of services) await service.start();
  } catch (error) {
    await close();
    throw error;
  }
  return { url: await originOf(app), routes: registered, close };
}

/** Spans come as protobuf, which Fastify would refuse; whoever takes them reads the bytes. */
function takeProtobuf(adapter: FastifyAdapter): void {
  adapter
    .getInstance()
    .addContentTypeParser('application/x-protobuf', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
}

/** Waits for one part of a shutdown; a part that fails or takes too long is told in the log and left behind. */
async function withinDeadline(logger: Logger, drainMs: number, what: string, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), drainMs);
  });
  try {
    const outcome = await Promise.race([work, deadline]);
    if (outcome === 'late') logger.warn(`${what} did not end within ${drainMs} ms`);
  } catch (error) {
    logger.error({ err: error }, `${what} failed to end`);
  } finally {
    clearTimeout(timer);
  }
}

/** The address as a client on this machine can use it. */
async function originOf(app: NestFastifyApplication): Promise<string> {
  const url = new URL(await app.getUrl());
  return url.origin;
}
