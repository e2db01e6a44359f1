import { FLOW_CONTROL_DEFAULTS } from '@sluice/flow-control';
import type { FlowControlOptions } from '@sluice/flow-control';
import { booleanField, integerField, liveSetting, numberField } from '@sluice/nest-kit';
import { z } from 'zod';
import { numbersByName } from './numbers-by-name.ts';

/** How requests take their turns; see docs/flow-control.md. */
export interface FlowConfig {
  /** False: every request goes to its worker at once, whatever there is of room. */
  readonly hold: boolean;
  /** Request header that names the tenant, in lower case. */
  readonly tenantHeader: string;
  /** Priority of each objective that `x-llm-d-inference-objective` may name. */
  readonly objectives: Readonly<Record<string, number>>;
  /** Of requests that ask for nothing themselves; null: unconstrained. */
  readonly defaults: ServiceLevelDefaults;
  readonly limits: FlowControlOptions;
}

/** Milliseconds; see {@link ServiceLevel}. */
export interface ServiceLevelDefaults {
  readonly ttftSloMs: number | null;
  readonly tpotSloMs: number | null;
  readonly deadlineMs: number | null;
}

const sloField = () => integerField(1, 86_400_000).optional();

const wholeNumbers = () =>
  z
    .string()
    .refine((text) => /^\s*-?\d+\s*(,\s*-?\d+\s*)*$/.test(text), 'must be whole numbers separated by commas')
    .transform((text) => text.split(',').map(Number))
    .meta({ allowed: 'whole numbers separated by commas' });

/** Variables of the router's environment that are about flow control. */
export const flowFields = {
  ROUTER_HOLD: liveSetting(
    booleanField().default(true),
    'Whether requests wait where their worker has no room; false: they are sent at once',
  ),
  ROUTER_QUEUE_REQUESTS: liveSetting(
    integerField(0, 1_000_000).default(FLOW_CONTROL_DEFAULTS.maxRequests),
    'Most requests held at one time in a pool',
  ),
  ROUTER_QUEUE_BYTES: liveSetting(
    integerField(0, 2 ** 40).default(FLOW_CONTROL_DEFAULTS.maxBytes),
    'Most body bytes held at one time in a pool',
  ),
  ROUTER_PRIORITY_BANDS: liveSetting(
    wholeNumbers().default([...FLOW_CONTROL_DEFAULTS.bands]),
    'Priorities at which a band begins; a request is in the highest band at or below its priority',
  ),
  ROUTER_OBJECTIVES: liveSetting(
    numbersByName('priority', 'name=priority pairs separated by commas', Number.isInteger).default({}),
    'Priority of each objective that `x-llm-d-inference-objective` may name',
  ),
  ROUTER_TENANT_HEADER: liveSetting(
    z
      .string()
      .refine((text) => /^[\w!#$%&'*+.^`|~-]+$/.test(text), 'must be the name of a header')
      .transform((text) => text.toLowerCase())
      .meta({ allowed: 'the name of a header' })
      .default('x-sluice-tenant'),
    'Request header that names the tenant',
  ),
  ROUTER_TENANT_WEIGHTS: liveSetting(
    numbersByName('weight', 'name=weight pairs separated by commas', (value) => value > 0 && value < Infinity).default(
      {},
    ),
    'Share of each tenant relative to others of its band; tenants that are not named have 1',
  ),
  ROUTER_TENANTS: liveSetting(
    integerField(1, 100_000).default(FLOW_CONTROL_DEFAULTS.maxTenants),
    'Tenants told apart at one time; further ones share a queue',
  ),
  ROUTER_RESERVE_SHARE: liveSetting(
    numberField(0, 1).default(FLOW_CONTROL_DEFAULTS.reserveShare),
    "Most of a worker's memory that stays free for more urgent requests and modest tenants",
  ),
  ROUTER_RESERVE_WORKERS: liveSetting(
    numberField(0, 1).default(FLOW_CONTROL_DEFAULTS.reserveWorkers),
    'Most of the workers, as a share, that are kept from a tenant that floods, for others; 0: none are',
  ),
  ROUTER_BACKLOG_TOKENS: liveSetting(
    integerField(0, 1 << 30).default(FLOW_CONTROL_DEFAULTS.backlogTokens),
    'Uncached tokens that a worker may have waiting and still take a further request',
  ),
  ROUTER_OVERCOMMIT_SHARE: liveSetting(
    numberField(0, 10).default(FLOW_CONTROL_DEFAULTS.overcommitShare),
    `Of a worker's memory, what requests with at most ${FLOW_CONTROL_DEFAULTS.cheapTokens} tokens to compute may take beyond what there is; 0: they wait as others do`,
  ),
  ROUTER_TTFT_SLO_MS: liveSetting(sloField(), 'TTFT wanted by requests that ask for none'),
  ROUTER_TPOT_SLO_MS: liveSetting(sloField(), 'Milliseconds per output token wanted by requests that ask for none'),
  ROUTER_DEADLINE_MS: liveSetting(sloField(), 'When requests that do not say are given up, from their arrival'),
};
type FlowFields = z.output<z.ZodObject<typeof flowFields>>;

/** Flow control's part of a parsed environment. */
export const flowConfigOf = (c: FlowFields): FlowConfig => ({
  hold: c.ROUTER_HOLD,
  tenantHeader: c.ROUTER_TENANT_HEADER,
  objectives: c.ROUTER_OBJECTIVES,
  defaults: {
    ttftSloMs: c.ROUTER_TTFT_SLO_MS ?? null,
    tpotSloMs: c.ROUTER_TPOT_SLO_MS ?? null,
    deadlineMs: c.ROUTER_DEADLINE_MS ?? null,
  },
  limits: {
    ...FLOW_CONTROL_DEFAULTS,
    maxRequests: c.ROUTER_QUEUE_REQUESTS,
    maxBytes: c.ROUTER_QUEUE_BYTES,
    bands: c.ROUTER_PRIORITY_BANDS,
    weights: c.ROUTER_TENANT_WEIGHTS,
    maxTenants: c.ROUTER_TENANTS,
    backlogTokens: c.ROUTER_BACKLOG_TOKENS,
    overcommitShare: c.ROUTER_OVERCOMMIT_SHARE,
    reserveShare: c.ROUTER_RESERVE_SHARE,
    reserveWorkers: c.ROUTER_RESERVE_WORKERS,
  },
});
