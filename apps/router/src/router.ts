import type { Bus } from '@sluice/bus';
import type { Rng } from '@sluice/model';
import type { LiveConfig } from '@sluice/nest-kit';
import type { Logger, Tracing } from '@sluice/telemetry';
import type { UpstreamPool } from '@sluice/upstream';
import type { RouterConfig } from './config.ts';
import type { DecisionLog } from './decision/decision-log.ts';
import type { Shadows } from './decision/shadows.ts';
import type { FleetView } from './fleet/fleet-view.ts';
import type { LatencyView } from './fleet/latency-view.ts';
import type { ScrapeLoop } from './fleet/scrape-loop.ts';
import type { FlowGate } from './flow/flow-gate.ts';
import type { RecentLatency } from './live/recent-latency.ts';
import type { RouterMetrics } from './metrics.ts';
import type { EventFeed } from './prefix/event-feed.ts';
import type { PrefixView } from './prefix/prefix-view.ts';
import type { BodyReader } from './request/body-reader.ts';
import type { SiblingLink } from './siblings/sibling-link.ts';
import type { PrefixArrivals } from './tracing/prefix-arrivals.ts';

/** What a request meets on its way; made once per router. */
export interface Router {
  /** In force now: to be read anew wherever it is needed. */
  readonly config: RouterConfig;
  readonly settings: LiveConfig<RouterConfig>;
  readonly fleet: FleetView;
  readonly bodies: BodyReader;
  readonly health: ScrapeLoop;
  readonly prefix: PrefixView;
  readonly feed: EventFeed;
  readonly latency: LatencyView;
  readonly siblings: SiblingLink;
  readonly decisions: DecisionLog;
  readonly shadows: Shadows;
  readonly recent: RecentLatency;
  readonly flow: FlowGate;
  readonly upstream: UpstreamPool;
  readonly metrics: RouterMetrics;
  readonly bus: Bus;
  readonly logger: Logger;
  readonly tracing: Tracing;
  readonly arrivals: PrefixArrivals;
  readonly rng: Rng;
  /** Milliseconds since the Unix epoch, never going back. */
  readonly now: () => number;
}
