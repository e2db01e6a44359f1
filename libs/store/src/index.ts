export { createMemoryStore } from './memory-store.ts';
export { connectRedisStore } from './redis-store.ts';
export type { RedisStoreOptions } from './redis-store.ts';
export { StoreUnavailable } from './store.ts';
export type { MapChanges, Store, StoreState } from './store.ts';
