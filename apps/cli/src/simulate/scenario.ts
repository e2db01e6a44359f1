import { PROFILES } from '@sluice/engine-model';
import type { RecordedTrace } from '@sluice/model';
import { loadTrace } from '@sluice/traces';
import { playTrace } from '@sluice/twin';
import type { EngineSetup, SimulatedRequest, TwinOptions } from '@sluice/twin';
import type { SimulateOptions } from './options.ts';
import { WORKLOADS } from './workloads.ts';
import type { WorkloadId } from './workloads.ts';

/** Options that contradict each other or the profile; the message says which. */
export class OptionError extends Error {}

interface PlayedTrace {
  readonly kind: 'trace';
  readonly trace: RecordedTrace;
}

interface MadeUp {
  readonly kind: 'workload';
  readonly id: WorkloadId;
  readonly cv: number;
  readonly warmUpS: number;
  readonly measuredS: number;
}

/** What every run of a command has in common: plain data, so that it can be sent to other threads. */
export interface Scenario {
  readonly source: PlayedTrace | MadeUp;
  readonly engines: readonly EngineSetup[];
  /** First requests that are played; null: all. */
  readonly limit: number | null;
  readonly conditions: Omit<TwinOptions, 'requests' | 'engines' | 'policy' | 'seed' | 'onProgress' | 'onDecision'>;
  readonly warmUpMs: number;
  /** Whether runs keep what the report draws. */
  readonly detailed: boolean;
}

const WORKLOAD_WARM_UP_S = 100;

/**
 * Reads the trace, if one is played, and makes the fleet.
 * @throws TraceError for a trace that cannot be used, OptionError for options that do not go together.
 */
export async function createScenario(options: SimulateOptions): Promise<Scenario> {
  const engines = enginesOf(options);
  const late = options.kill.find(({ engine }) => engine >= engines.length);
  if (late !== undefined) {
    throw new OptionError(`--kill ${late.engine}@...: there are ${engines.length} engines, numbered from 0`);
  }
  const warmUpS = options.warmUp ?? (options.trace === undefined ? WORKLOAD_WARM_UP_S : 0);
  return {
    source: await sourceOf(options, warmUpS),
    engines,
    limit: options.limit ?? null,
    warmUpMs: 1000 * warmUpS,
    detailed: options.html !== undefined,
    conditions: {
      warmUpMs: 1000 * warmUpS,
      slo: { ttftMs: options.sloTtft, tpotMs: options.sloTpot },
      latency: options.latency,
      eventLagMs: options.eventLag,
      pollMs: options.poll,
      lostEventShare: options.lostEvents,
      routers: options.routers,
      failures: options.kill,
      ...(options.jitter > 0 ? { jitter: { sigma: options.jitter } } : {}),
    },
  };
}

async function sourceOf(options: SimulateOptions, warmUpS: number): Promise<Scenario['source']> {
  const { trace, workload, format, limit, arrivals, duration } = options;
  if (trace !== undefined) return { kind: 'trace', trace: await loadTrace(trace, format, limit ?? Infinity) };
  if (workload === undefined) throw new OptionError('give --trace FILE or --workload ID');
  return { kind: 'workload', id: workload, cv: arrivals, warmUpS, measuredS: duration };
}

/** The requests of one run, in order of arrival. `load` is the rate of a workload or the speed of a trace. */
export function requestsOf({ source, engines, limit }: Scenario, load: number, seed: number): SimulatedRequest[] {
  if (source.kind === 'trace') {
    const kvTokens = Math.min(...engines.map((engine) => engine.kvTokens ?? engine.profile.kvTokens));
    return playTrace(source.trace, { speed: load, seed, kvTokens });
  }
  const { id, cv, warmUpS, measuredS } = source;
  const requests = WORKLOADS[id]({ qps: load, cv, warmUpS, measuredS, seed });
  return limit === null ? requests : requests.slice(0, limit);
}

/** Engines of one kind are a variant of their own. */
function enginesOf({ engines, profile, kvTokens, blockSize }: SimulateOptions): EngineSetup[] {
  return engines.flatMap((group): EngineSetup[] => {
    const of = PROFILES[group.profile ?? profile];
    const [tokens, block] = [kvTokens ?? of.kvTokens, blockSize ?? of.blockSize];
    if (tokens < block) throw new OptionError(`--kv-tokens ${tokens} is less than one block of ${block} tokens`);
    const setup: EngineSetup = {
      profile: of,
      kvTokens: tokens,
      blockSize: block,
      slowdown: 1 / group.speed,
      variant: group.speed === 1 ? of.id : `${of.id}@${group.speed}`,
    };
    return Array.from({ length: group.count }, () => setup);
  });
}
