export { busSuite } from './testing/bus-suite.ts';
export type { BusPair } from './testing/bus-suite.ts';
export { eventually } from './testing/eventually.ts';
export { findNatsServer, NATS_SERVER_MISSING, startNatsServer } from './testing/nats-server.ts';
export type { NatsServer, NatsServerOptions } from './testing/nats-server.ts';
