import { adminTokensOf, commonFields, integerField, parseConfig, portField, setting } from '@sluice/nest-kit';
import type { AdminTokenSettings, Environment, ParsedConfig, SettingTexts } from '@sluice/nest-kit';
import { z } from 'zod';

export interface KvIndexConfig {
  readonly natsServers: readonly string[];
  readonly redisUrl: string;
  /** Path of the fleet file. */
  readonly fleet: string;
  readonly host: string;
  readonly adminPort: number;
  readonly tokens: AdminTokenSettings;
  readonly logLevel: z.output<(typeof commonFields)['SLUICE_LOG_LEVEL']>;
  /** Most nodes of the index; about 70 bytes each. */
  readonly maxNodes: number;
  /** Longest time that a change waits before it is written to the store. */
  readonly writeDelayMs: number;
  /** How long the start waits for the store before it goes on without the durable copy. */
  readonly storeWaitMs: number;
}

/** Every setting of the kv-index. */
export const kvIndexSettings = z.object({
  ...commonFields,
  KV_INDEX_ADMIN_PORT: setting(portField().default(8083), 'Port of the admin API'),
  KV_INDEX_MAX_NODES: setting(
    integerField(1000, 100_000_000).default(4_194_304),
    'Most nodes of the index; about 70 bytes each',
  ),
  KV_INDEX_WRITE_DELAY_MS: setting(
    integerField(1, 60_000).default(200),
    'Longest time that a change waits before it is written to the store',
  ),
  KV_INDEX_STORE_WAIT_MS: setting(
    integerField(0, 600_000).default(5000),
    'How long the start waits for the store before it goes on without the durable copy',
  ),
});

/** Configuration of the kv-index from the environment and the file of settings, or every error at once. */
export function parseKvIndexConfig(env: Environment, file: SettingTexts = {}): ParsedConfig<KvIndexConfig> {
  const parsed = parseConfig(kvIndexSettings, 'KV_INDEX_', env, file);
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
      tokens: adminTokensOf(config),
      logLevel: config.SLUICE_LOG_LEVEL,
      maxNodes: config.KV_INDEX_MAX_NODES,
      writeDelayMs: config.KV_INDEX_WRITE_DELAY_MS,
      storeWaitMs: config.KV_INDEX_STORE_WAIT_MS,
    },
  };
}
