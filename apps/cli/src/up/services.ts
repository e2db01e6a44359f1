/** Every service that can run as its own process: the one list that `up --services` and its checks go by. */
export interface ServiceEntry {
  /** Service name, folder of the app, and path prefix of its admin API in standalone. */
  readonly name: string;
  /** Prefix of its own environment variables. */
  readonly prefix: string;
}

/** In the order of starting; stopping goes the other way, so the router drains first. */
export const SERVICES: readonly ServiceEntry[] = [
  { name: 'latency-predictor', prefix: 'LATENCY_PREDICTOR' },
  { name: 'kv-index', prefix: 'KV_INDEX' },
  { name: 'event-bridge', prefix: 'EVENT_BRIDGE' },
  { name: 'router', prefix: 'ROUTER' },
];
