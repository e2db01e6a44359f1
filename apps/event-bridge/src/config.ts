import { z } from 'zod';
import { adminTokensOf, commonFields, integerField, parseConfig, portField, setting } from '@sluice/nest-kit';
import type { AdminTokenSettings, Environment, ParsedConfig, SettingTexts } from '@sluice/nest-kit';

export interface EventBridgeConfig {
  /** Address that the admin API listens on. */
  readonly host: string;
  readonly adminPort: number;
  readonly tokens: AdminTokenSettings;
  /** Path of the fleet file. */
  readonly fleet: string;
  readonly natsServers: readonly string[];
  readonly logLevel: z.output<typeof commonFields.SLUICE_LOG_LEVEL>;
  /** Between two reports of every feed's state. */
  readonly feedMs: number;
  /** How long a replay socket may be silent. */
  readonly replaySilenceMs: number;
  /** Without an event for so long, an engine is asked whether it published any. */
  readonly idleCheckMs: number;
  /** Engine blocks known per rank; about 140 bytes each. */
  readonly maxBlocksPerRank: number;
}

/** Every setting of the event bridge. */
export const eventBridgeSettings = z.object({
  ...commonFields,
  EVENT_BRIDGE_ADMIN_PORT: setting(portField().default(8084), 'Port of the admin API'),
  EVENT_BRIDGE_FEED_MS: setting(integerField(100, 60_000).default(2_000), "Between two reports of every feed's state"),
  EVENT_BRIDGE_REPLAY_SILENCE_MS: setting(
    integerField(100, 60_000).default(2_000),
    'How long a replay socket may be silent',
  ),
  EVENT_BRIDGE_IDLE_CHECK_MS: setting(
    integerField(100, 3_600_000).default(10_000),
    'Without an event for so long, an engine is asked whether it published any',
  ),
  EVENT_BRIDGE_MAX_BLOCKS_PER_RANK: setting(
    integerField(1_000, 50_000_000).default(2_000_000),
    'Engine blocks known per rank; about 140 bytes each',
  ),
});

/** Configuration of the event bridge from the environment and the file of settings, or every error at once. */
export function parseEventBridgeConfig(env: Environment, file: SettingTexts = {}): ParsedConfig<EventBridgeConfig> {
  const parsed = parseConfig(eventBridgeSettings, 'EVENT_BRIDGE_', env, file);
  if (!parsed.ok) return parsed;
  const { config: c } = parsed;
  return {
    ok: true,
    config: {
      host: c.SLUICE_HOST,
      adminPort: c.EVENT_BRIDGE_ADMIN_PORT,
      tokens: adminTokensOf(c),
      fleet: c.SLUICE_FLEET,
      natsServers: c.SLUICE_NATS_URL,
      logLevel: c.SLUICE_LOG_LEVEL,
      feedMs: c.EVENT_BRIDGE_FEED_MS,
      replaySilenceMs: c.EVENT_BRIDGE_REPLAY_SILENCE_MS,
      idleCheckMs: c.EVENT_BRIDGE_IDLE_CHECK_MS,
      maxBlocksPerRank: c.EVENT_BRIDGE_MAX_BLOCKS_PER_RANK,
    },
  };
}
