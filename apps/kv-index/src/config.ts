import { commonFields, integerField, parseConfig, portField } from '@sluice/nest-kit';
import type { Environment, ParsedConfig } from '@sluice/nest-kit';
import { z } from 'zod';

export interface KvIndexConfig {
  readonly natsServers: readonly string[];
  readonly redisUrl: string;
  /** Path of the fleet file. */
  readonly fleet: string;
  readonly host: string;
  readonly adminPort: number;
  readonly logLevel: z.output<(typeof commonFields)['SLUICE_LOG_LEVEL']>;
  /** Most nodes of the index; about 70 bytes each. */
  readonly maxNodes: number;
  /** Longest time that a change waits before it is written to the store. */
  readonly writeDelayMs: number;
  /** How long the start waits for the store before it goes on without the durable copy. */
  readonly storeWaitMs: number;
}

const schema = z.object({
  ...commonFields,
  KV_INDEX_ADMIN_PORT: portField().default(8083),
  KV_INDEX_MAX_NODES: integerField(1000, 100_000_000).default(4_194_304),
  KV_INDEX_WRITE_DELAY_MS: integerField(1, 60_000).default(200),
  KV_INDEX_STORE_WAIT_MS: integerField(0, 600_000).default(5000),
});

/** Configuration of the kv-index from the environment, or every error at once. */
export function parseKvIndexConfig(env: Environment): ParsedConfig<KvIndexConfig> {
  const parsed = parseConfig(schema, 'KV_INDEX_', env);
  if (!parsed.ok) return parsed;
  const { config } = parsed;
  return {
    ok: true,
    config: {
      natsServers: config.SLUICE_NATS_URL,
      redisUrl: config.SLUICE_REDIS_URL,
      fleet: config.SLUICE_FLEET,
      host: config.SLUICE_HOST,
      adminPort: config.KV_INDEX_ADMIN_PORT,
      logLevel: config.SLUICE_LOG_LEVEL,
      maxNodes: config.KV_INDEX_MAX_NODES,
      writeDelayMs: config.KV_INDEX_WRITE_DELAY_MS,
      storeWaitMs: config.KV_INDEX_STORE_WAIT_MS,
    },
  };
}
