import type { Dashboard } from './dashboard.ts';
import { indexHealth } from './index-health.ts';
import { overview } from './overview.ts';
import { routingQuality } from './routing-quality.ts';
import { slo } from './slo.ts';
import { oneWorker } from './worker.ts';

export { dashboardModel } from './dashboard.ts';
export type { Dashboard } from './dashboard.ts';

/** Every dashboard; `npm run docs:dashboards` writes them to deploy/grafana/dashboards. */
export const DASHBOARDS: readonly Dashboard[] = [overview, routingQuality, indexHealth, oneWorker, slo];
