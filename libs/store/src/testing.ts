export { findRedisServer, REDIS_SERVER_MISSING, startRedisServer } from './testing/redis-server.ts';
export type { RedisServer } from './testing/redis-server.ts';
export { storeSuite } from './testing/store-suite.ts';
