import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FlowConfig } from './flow-config.ts';

/** What a request asks for beyond its answer; null: unconstrained. */
export interface ServiceLevel {
  readonly tenant: string;
  /** Larger goes first; 0 is ordinary. */
  readonly priority: number;
  /** Milliseconds from the arrival to the first token. */
  readonly ttftSloMs: number | null;
  /** Milliseconds per output token after the first. */
  readonly tpotSloMs: number | null;
  /** Milliseconds from the arrival until the client gives up. */
  readonly deadlineMs: number | null;
}

export const DEFAULT_TENANT = 'default';
/** Names are metric labels: longer ones are cut. */
const LONGEST_TENANT = 64;
const MOST_URGENT = 1_000_000;

/**
 * Reads the headers of a request; the configured defaults stand in for what they do not say. Of several names for one
 * thing the first wins; a value that is none counts as absent.
 * Nothing here is trusted for more than its turn: what stands in front of the router decides who may send these.
 */
export function serviceLevelOf(headers: IncomingHttpHeaders, config: FlowConfig): ServiceLevel {
  const { defaults } = config;
  return {
    tenant: tenantOf(headers, config),
    priority: priorityOf(headers, config),
    ttftSloMs:
      milliseconds(headers, 'x-sluice-slo-ttft-ms', 'x-llm-d-slo-ttft-ms', 'x-slo-ttft-ms') ?? defaults.ttftSloMs,
    tpotSloMs:
      milliseconds(headers, 'x-sluice-slo-tpot-ms', 'x-llm-d-slo-tpot-ms', 'x-slo-tpot-ms') ?? defaults.tpotSloMs,
    deadlineMs: milliseconds(headers, 'x-sluice-deadline-ms') ?? defaults.deadlineMs,
  };
}

/** The tenant's header, llm-d's fairness id, or the API key by its hash: keys must not show up in metrics. */
function tenantOf(headers: IncomingHttpHeaders, { tenantHeader }: FlowConfig): string {
  const named =
    text(headers, tenantHeader) ??
    text(headers, 'x-llm-d-inference-fairness-id') ??
    text(headers, 'x-gateway-inference-fairness-id');
  if (named !== null) return named.slice(0, LONGEST_TENANT);
  const key = text(headers, 'authorization') ?? text(headers, 'x-api-key');
  return key === null ? DEFAULT_TENANT : `key-${hash('sha256', key).slice(0, 12)}`;
}

function priorityOf(headers: IncomingHttpHeaders, { objectives }: FlowConfig): number {
  const own = text(headers, 'x-sluice-priority');
  if (own !== null && /^[+-]?\d{1,7}$/.test(own)) return clamp(Number(own));
  const objective = text(headers, 'x-llm-d-inference-objective') ?? text(headers, 'x-gateway-inference-objective');
  return objective !== null && Object.hasOwn(objectives, objective) ? objectives[objective]! : 0;
}

const clamp = (priority: number): number => Math.max(-MOST_URGENT, Math.min(MOST_URGENT, priority));

function text(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

function milliseconds(headers: IncomingHttpHeaders, ...names: readonly string[]): number | null {
  for (const name of names) {
    const value = Number(text(headers, name) ?? NaN);
    if (value > 0 && value < Infinity) return value;
  }
  return null;
}
