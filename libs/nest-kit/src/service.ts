import type { DynamicModule } from '@nestjs/common';
import type { Bus } from '@sluice/bus';
import type { ServiceStatus } from '@sluice/contracts';
import type { GivenSettings } from './live-config/open-settings.ts';
import type { Store } from '@sluice/store';
import type { Logger, Metrics, Tracing } from '@sluice/telemetry';

/** What every service is given; services of one process may share bus and store. */
export interface ServiceContext {
  readonly service: string;
  readonly bus: Bus;
  readonly store: Store;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** What the process is configured with; absent: the service's own configuration is all there is. */
  readonly settings?: GivenSettings;
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing;
}

/** What an app gives to its process shell. */
export interface Service {
  readonly name: string;
  /** The admin controllers, with paths that do not name the service, as direct `controllers` of this module. */
  readonly module: DynamicModule;
  status(): ServiceStatus;
  /** Starts loops and servers; called once, after the admin port is open. */
  start(): Promise<void>;
  /** Graceful drain: takes no new work and resolves when the work at hand is done. Called once, also after a failed start. */
  stop(): Promise<void>;
  /** Milliseconds that {@link stop} may take, asked when it begins; absent: the shell's `drainMs`. */
  stopLimitMs?(): number;
}

/** A started process shell. */
export interface RunningService {
  /** Origin of the admin HTTP server. */
  readonly url: string;
  /** Drains the services, closes the admin server, the bus and the store. Safe to call twice. */
  close(): Promise<void>;
}

/** A started admin server. */
export interface RunningAdmin extends RunningService {
  /** Every route that it answers, as `GET /path/:parameter`. */
  readonly routes: readonly string[];
}
