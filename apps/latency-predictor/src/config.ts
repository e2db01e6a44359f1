import { PRIORS, PROFILE_IDS } from '@sluice/latency-model';
import type { ProfileId } from '@sluice/latency-model';
import { adminTokensOf, commonFields, integerField, parseConfig, portField, setting } from '@sluice/nest-kit';
import type { AdminTokenSettings, Environment, ParsedConfig, SettingTexts } from '@sluice/nest-kit';
import { z } from 'zod';

export interface LatencyPredictorConfig {
  readonly natsServers: readonly string[];
  readonly redisUrl: string;
  readonly host: string;
  readonly adminPort: number;
  readonly tokens: AdminTokenSettings;
  readonly logLevel: z.output<(typeof commonFields)['SLUICE_LOG_LEVEL']>;
  /** Profile whose constants a variant starts from, by `variant` or `pool/variant`; others start from `default`. */
  readonly priors: ReadonlyMap<string, ProfileId>;
  /** Token budget of an engine step (vLLM `max_num_batched_tokens`). */
  readonly chunkTokens: number;
}

const isProfile = (text: unknown): text is ProfileId => typeof text === 'string' && Object.hasOwn(PRIORS, text);

/** `{"variant": "profile"}` or `variant=profile,variant=profile`. */
const priorsField = z
  .string()
  .transform((text, context): ReadonlyMap<string, ProfileId> => {
    const fail = (message: string): typeof z.NEVER => {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    const entries = text.trim().startsWith('{') ? jsonEntries(text) : listEntries(text);
    if (entries === null) return fail('must be variant=profile,... or a JSON object of profiles by variant');
    const unknown = entries.filter(([variant, profile]) => variant === '' || !isProfile(profile));
    if (unknown.length > 0) {
      const shown = unknown.map(([variant, profile]) => `${variant}=${String(profile)}`).join(', ');
      return fail(`has no such profile: ${shown}; profiles are ${PROFILE_IDS.join(', ')}`);
    }
    return new Map(entries as [string, ProfileId][]);
  })
  .meta({
    allowed: `variant=profile pairs separated by commas, or a JSON object; profiles are ${PROFILE_IDS.join(', ')}`,
  });

const { SLUICE_FLEET: _needsNoFleet, ...fields } = commonFields;

/** Every setting of the latency-predictor. */
export const latencyPredictorSettings = z.object({
  ...fields,
  LATENCY_PREDICTOR_ADMIN_PORT: setting(portField().default(8085), 'Port of the admin API'),
  LATENCY_PREDICTOR_PRIORS: setting(
    priorsField.default(new Map()),
    'Profile whose constants a variant starts from, by `variant` or `pool/variant`; others start from `default`',
  ),
  LATENCY_PREDICTOR_CHUNK_TOKENS: setting(
    integerField(16, 1_000_000).default(8192),
    'Token budget of an engine step (`max_num_batched_tokens` of vLLM)',
  ),
});

/** Configuration of the latency-predictor from the environment and the file of settings, or every error at once. */
export function parseLatencyPredictorConfig(
  env: Environment,
  file: SettingTexts = {},
): ParsedConfig<LatencyPredictorConfig> {
  const parsed = parseConfig(latencyPredictorSettings, 'LATENCY_PREDICTOR_', env, file);
  if (!parsed.ok) return parsed;
  const { config } = parsed;
  return {
    ok: true,
    config: {
      natsServers: config.SLUICE_NATS_URL,
      redisUrl: config.SLUICE_REDIS_URL,
      host: config.SLUICE_HOST,
      adminPort: config.LATENCY_PREDICTOR_ADMIN_PORT,
      tokens: adminTokensOf(config),
      logLevel: config.SLUICE_LOG_LEVEL,
      priors: config.LATENCY_PREDICTOR_PRIORS,
      chunkTokens: config.LATENCY_PREDICTOR_CHUNK_TOKENS,
    },
  };
}

function jsonEntries(text: string): [string, unknown][] | null {
  try {
    return Object.entries(JSON.parse(text) as Record<string, unknown>);
  } catch {
    return null;
  }
}

function listEntries(text: string): [string, unknown][] | null {
  const entries = text.split(',').map((item) => item.split('=').map((part) => part.trim()));
  return entries.every((entry) => entry.length === 2) ? (entries as [string, string][]) : null;
}
