export { kvIndexSettings, parseKvIndexConfig } from './config.ts';
export type { KvIndexConfig } from './config.ts';
export { createKvIndexService } from './service.ts';
