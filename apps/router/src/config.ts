import { z } from 'zod';
import { PROFILE_IDS } from '@sluice/latency-model';
import type { ProfileId } from '@sluice/latency-model';
import {
  adminTokensOf,
  choiceField,
  choicesField,
  commonFields,
  integerField,
  liveSetting,
  numberField,
  parseConfig,
  portField,
  setting,
} from '@sluice/nest-kit';
import type { AdminTokenSettings, Environment, ParsedConfig, SettingTexts } from '@sluice/nest-kit';
import { POLICY_IDS } from '@sluice/routing';
import type { PolicyId, PolicyOptions } from '@sluice/routing';
import type { TraceShare } from '@sluice/telemetry';
import { policyOptionsField } from './decision/policy-options.ts';
import { flowConfigOf, flowFields } from './flow/flow-config.ts';
import type { FlowConfig } from './flow/flow-config.ts';
import { traceSampleField } from './tracing/trace-sample.ts';

export interface RouterConfig {
  /** Address that the data plane and the admin API listen on. */
  readonly host: string;
  /** Data plane; 0 takes a free port. */
  readonly port: number;
  readonly adminPort: number;
  readonly tokens: AdminTokenSettings;
  /** Path of the fleet file. */
  readonly fleet: string;
  readonly natsServers: readonly string[];
  readonly redisUrl: string;
  readonly logLevel: z.output<typeof commonFields.SLUICE_LOG_LEVEL>;
  readonly policy: PolicyId;
  /** Prices and weights that are other than their defaults, of any policy. */
  readonly policyOptions: PolicyOptions;
  /** Policies that are asked about live decisions and never obeyed. */
  readonly shadowPolicies: readonly PolicyId[];
  /** Share of the decisions that they are asked about, 0 to 1. */
  readonly shadowSample: number;
  /** Share of the requests that are traced where their clients do not decide; null: as the process was started. */
  readonly traceSample: TraceShare | null;
  /** Of the policy's randomness: equal seeds and equal situations give equal decisions. Null: it is not repeatable. */
  readonly seed: number | null;
  /** Latency parameters of variants that nothing has been learned about. */
  readonly profile: ProfileId;
  /** Whether what the latency-predictor learns comes into force, or the profile stays. */
  readonly latency: 'learned' | 'profile';
  readonly maxBodyBytes: number;
  /** Bodies held at one time, over all requests. */
  readonly maxHeldBodyBytes: number;
  /** Text of long messages kept to know them again. */
  readonly maxKnownMessageBytes: number;
  /** Requests handled at one time; more are answered 429. */
  readonly maxInFlight: number;
  /** Further attempts on other workers while nothing was sent to the client. */
  readonly retries: number;
  readonly scrapeMs: number;
  readonly scrapeTimeoutMs: number;
  /** Connections per engine; a request in flight holds one. */
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  /** Longest silence between two pieces of an answer. */
  readonly silenceTimeoutMs: number;
  /** The same once the engine refuses connections: it is stopping and may never speak again. */
  readonly downSilenceMs: number;
  /** Longest time that a client may accept no byte. */
  readonly clientStallMs: number;
  /** Decisions kept for the admin API. */
  readonly decisions: number;
  /** Most nodes of the embedded index replica. */
  readonly indexNodes: number;
  /** On SIGTERM, how long new requests are still served, unready, until whoever sends them has noticed. */
  readonly leaveMs: number;
  /** After that, how long streams may take to finish. */
  readonly drainMs: number;
  /** Turns, tenants and the queue. */
  readonly flow: FlowConfig;
}

const milliseconds = (fallback: number) => integerField(1, 86_400_000).default(fallback);

/** Every setting of the router. */
export const routerSettings = z.object({
  ...commonFields,
  ROUTER_PORT: setting(portField().default(8080), 'Port of the data plane'),
  ROUTER_ADMIN_PORT: setting(portField().default(8082), 'Port of the admin API'),
  ROUTER_POLICY: liveSetting(choiceField(POLICY_IDS).default('expected-latency'), 'Routing policy'),
  ROUTER_POLICY_OPTIONS: liveSetting(
    policyOptionsField().default({}),
    'Prices and weights of policies, as `expectedLatency.duplicatePrice=2`; those not named are as benchmarked',
  ),
  ROUTER_SHADOW_POLICIES: liveSetting(
    choicesField(POLICY_IDS).default([]),
    'Policies that are asked about live decisions and never obeyed',
  ),
  ROUTER_SHADOW_SAMPLE: liveSetting(numberField(0, 1).default(0.1), 'Share of the decisions that they are asked about'),
  ROUTER_TRACE_SAMPLE: liveSetting(
    traceSampleField().optional(),
    'Share of the requests that are traced where their clients do not decide, or off; goes before OTEL_TRACES_SAMPLER',
  ),
  ROUTER_SEED: setting(
    integerField(0, 2 ** 32 - 1).optional(),
    "Of the policy's randomness: equal seeds and equal situations give equal decisions",
  ),
  ROUTER_PROFILE: setting(
    choiceField(PROFILE_IDS).default('default'),
    'Latency parameters of variants that nothing has been learned about',
  ),
  ROUTER_LATENCY: setting(
    choiceField(['learned', 'profile']).default('learned'),
    'Whether what the latency-predictor learns comes into force, or the profile stays',
  ),
  ROUTER_MAX_BODY_BYTES: liveSetting(integerField(1024, 1 << 30).default(8 * 1024 * 1024), 'Largest request body'),
  ROUTER_MAX_HELD_BODY_BYTES: setting(
    integerField(1024, 2 ** 40).default(512 * 1024 * 1024),
    'Bodies held at one time, over all requests',
  ),
  ROUTER_MAX_KNOWN_MESSAGE_BYTES: setting(
    integerField(0, 2 ** 40).default(32 * 1024 * 1024),
    'Text of long messages that came more than once, kept so that they are not parsed again; it takes about twice that in memory. 0: every body is parsed whole',
  ),
  ROUTER_MAX_IN_FLIGHT: liveSetting(
    integerField(1, 1_000_000).default(2048),
    'Requests handled at one time; more are answered 429',
  ),
  ROUTER_RETRIES: liveSetting(
    integerField(0, 10).default(2),
    'Further attempts on other workers while nothing was sent to the client',
  ),
  ROUTER_SCRAPE_MS: liveSetting(integerField(20, 60_000).default(500), 'Between two looks at an engine'),
  ROUTER_SCRAPE_TIMEOUT_MS: liveSetting(integerField(20, 60_000).default(700), 'How long a look may take'),
  ROUTER_CONNECTIONS: setting(
    integerField(1, 100_000).default(1024),
    'Connections per engine; a request in flight holds one',
  ),
  ROUTER_CONNECT_TIMEOUT_MS: setting(milliseconds(1000), 'How long connecting to an engine may take'),
  ROUTER_HEADERS_TIMEOUT_MS: setting(milliseconds(600_000), 'How long an engine may take to begin its answer'),
  ROUTER_SILENCE_TIMEOUT_MS: setting(milliseconds(300_000), 'Longest silence between two pieces of an answer'),
  ROUTER_DOWN_SILENCE_MS: liveSetting(milliseconds(3000), 'The same once the engine refuses connections'),
  ROUTER_CLIENT_STALL_MS: liveSetting(milliseconds(120_000), 'Longest time that a client may accept no byte'),
  ROUTER_DECISIONS: setting(
    integerField(1, 100_000).default(1000),
    'Decisions kept for the admin API. Beyond them are kept those of requests that have not ended, as many that ended only then, and a twentieth: the slowest of the last hour',
  ),
  ROUTER_INDEX_NODES: setting(
    integerField(1024, 64 * 1024 * 1024).default(4 * 1024 * 1024),
    'Most nodes of the embedded index replica',
  ),
  ROUTER_LEAVE_MS: liveSetting(
    integerField(0, 86_400_000).default(0),
    'On SIGTERM, how long new requests are still served while `/readyz` answers 503: the time that a load balancer takes to notice, as 10000',
  ),
  ROUTER_DRAIN_MS: liveSetting(milliseconds(30_000), 'After that, how long streams may take to finish'),
  ...flowFields,
});

/** Configuration of the router from the environment and the file of settings, or every error at once. */
export function parseRouterConfig(env: Environment, file: SettingTexts = {}): ParsedConfig<RouterConfig> {
  const parsed = parseConfig(routerSettings, 'ROUTER_', env, file);
  if (!parsed.ok) return parsed;
  const { config: c } = parsed;
  return {
    ok: true,
    config: {
      host: c.SLUICE_HOST,
      port: c.ROUTER_PORT,
      adminPort: c.ROUTER_ADMIN_PORT,
      tokens: adminTokensOf(c),
      fleet: c.SLUICE_FLEET,
      natsServers: c.SLUICE_NATS_URL,
      redisUrl: c.SLUICE_REDIS_URL,
      logLevel: c.SLUICE_LOG_LEVEL,
      policy: c.ROUTER_POLICY,
      policyOptions: c.ROUTER_POLICY_OPTIONS,
      shadowPolicies: c.ROUTER_SHADOW_POLICIES,
      shadowSample: c.ROUTER_SHADOW_SAMPLE,
      traceSample: c.ROUTER_TRACE_SAMPLE ?? null,
      seed: c.ROUTER_SEED ?? null,
      profile: c.ROUTER_PROFILE,
      latency: c.ROUTER_LATENCY,
      maxBodyBytes: c.ROUTER_MAX_BODY_BYTES,
      maxHeldBodyBytes: c.ROUTER_MAX_HELD_BODY_BYTES,
      maxKnownMessageBytes: c.ROUTER_MAX_KNOWN_MESSAGE_BYTES,
      maxInFlight: c.ROUTER_MAX_IN_FLIGHT,
      retries: c.ROUTER_RETRIES,
      scrapeMs: c.ROUTER_SCRAPE_MS,
      scrapeTimeoutMs: c.ROUTER_SCRAPE_TIMEOUT_MS,
      connections: c.ROUTER_CONNECTIONS,
      connectTimeoutMs: c.ROUTER_CONNECT_TIMEOUT_MS,
      headersTimeoutMs: c.ROUTER_HEADERS_TIMEOUT_MS,
      silenceTimeoutMs: c.ROUTER_SILENCE_TIMEOUT_MS,
      downSilenceMs: c.ROUTER_DOWN_SILENCE_MS,
      clientStallMs: c.ROUTER_CLIENT_STALL_MS,
      decisions: c.ROUTER_DECISIONS,
      indexNodes: c.ROUTER_INDEX_NODES,
      leaveMs: c.ROUTER_LEAVE_MS,
      drainMs: c.ROUTER_DRAIN_MS,
      flow: flowConfigOf(c),
    },
  };
}
