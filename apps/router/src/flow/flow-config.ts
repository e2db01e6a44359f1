import { FLOW_CONTROL_DEFAULTS } from '@sluice/flow-control';
import type { FlowControlOptions } from '@sluice/flow-control';
import { booleanField, integerField, numberField } from '@sluice/nest-kit';
import { z } from 'zod';

/** How requests take their turns; see docs/flow-control.md. */
export interface FlowConfig {
  /** False: every request goes to its worker at once, whatever there is of room. */
  readonly hold: boolean;
  /** Request header that names the tenant, in lower case. */
  readonly tenantHeader: string;
  /** Priority of each objective that `x-llm-d-inference-objective` may name. */
  readonly objectives: Readonly<Record<string, number>>;
  readonly limits: FlowControlOptions;
}

const wholeNumbers = () =>
  z
    .string()
    .refine((text) => /^\s*-?\d+\s*(,\s*-?\d+\s*)*$/.test(text), 'must be whole numbers separated by commas')
    .transform((text) => text.split(',').map(Number));

/** `name=number,name=number`; both sides of the last `=`, as names may hold one. */
const numbersByName = (allowed: string, isAllowed: (value: number) => boolean) =>
  z
    .string()
    .transform((text) => text.split(',').map((pair) => pair.trim()))
    .refine(
      (pairs) => pairs.every((pair) => isPair(pair, isAllowed)),
      `must be name=${allowed} pairs separated by commas`,
    )
    .transform((pairs) => Object.fromEntries(pairs.map((pair) => [nameOf(pair), valueOf(pair)])));

const nameOf = (pair: string): string => pair.slice(0, pair.lastIndexOf('=')).trim();
const valueOf = (pair: string): number => Number(pair.slice(pair.lastIndexOf('=') + 1));
const isPair = (pair: string, isAllowed: (value: number) => boolean): boolean =>
  pair.includes('=') && nameOf(pair) !== '' && pair.at(-1) !== '=' && isAllowed(valueOf(pair));

/** Variables of the router's environment that are about flow control. */
export const flowFields = {
  ROUTER_HOLD: booleanField().default(true),
  ROUTER_QUEUE_REQUESTS: integerField(0, 1_000_000).default(FLOW_CONTROL_DEFAULTS.maxRequests),
  ROUTER_QUEUE_BYTES: integerField(0, 2 ** 40).default(FLOW_CONTROL_DEFAULTS.maxBytes),
  ROUTER_PRIORITY_BANDS: wholeNumbers().default([...FLOW_CONTROL_DEFAULTS.bands]),
  ROUTER_OBJECTIVES: numbersByName('priority', Number.isInteger).default({}),
  ROUTER_TENANT_HEADER: z
    .string()
    .refine((text) => /^[\w!#$%&'*+.^`|~-]+$/.test(text), 'must be the name of a header')
    .transform((text) => text.toLowerCase())
    .default('x-sluice-tenant'),
  ROUTER_TENANT_WEIGHTS: numbersByName('weight', (value) => value > 0 && value < Infinity).default({}),
  ROUTER_TENANTS: integerField(1, 100_000).default(FLOW_CONTROL_DEFAULTS.maxTenants),
  ROUTER_RESERVE_SHARE: numberField(0, 1).default(FLOW_CONTROL_DEFAULTS.reserveShare),
  ROUTER_BACKLOG_TOKENS: integerField(0, 1 << 30).default(FLOW_CONTROL_DEFAULTS.backlogTokens),
};
type FlowFields = z.output<z.ZodObject<typeof flowFields>>;

/** Flow control's part of a parsed environment. */
export const flowConfigOf = (c: FlowFields): FlowConfig => ({
  hold: c.ROUTER_HOLD,
  tenantHeader: c.ROUTER_TENANT_HEADER,
  objectives: c.ROUTER_OBJECTIVES,
  limits: {
    ...FLOW_CONTROL_DEFAULTS,
    maxRequests: c.ROUTER_QUEUE_REQUESTS,
    maxBytes: c.ROUTER_QUEUE_BYTES,
    bands: c.ROUTER_PRIORITY_BANDS,
    weights: c.ROUTER_TENANT_WEIGHTS,
    maxTenants: c.ROUTER_TENANTS,
    backlogTokens: c.ROUTER_BACKLOG_TOKENS,
    reserveShare: c.ROUTER_RESERVE_SHARE,
  },
});
