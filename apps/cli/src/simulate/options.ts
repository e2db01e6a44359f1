import type { ProfileId } from '@sluice/engine-model';
import type { PolicyId } from '@sluice/routing';
import type { FormatId } from '@sluice/traces';
import type { FleetChange, RoutersSetup } from '@sluice/twin';
import type { EngineGroup } from './option-parsers.ts';
import type { WorkloadId } from './workloads.ts';

/** What was asked for on the command line, parsed. */
export interface SimulateOptions {
  /** Either this or `workload`. */
  readonly trace?: string;
  readonly workload?: WorkloadId;
  readonly format: FormatId;
  /** Of the trace; several are a load sweep. */
  readonly speed: readonly number[];
  readonly limit?: number;
  /** Of the workload; several are a load sweep. */
  readonly qps: readonly number[];
  /** Coefficient of variation of the gaps between requests of the workload; 1 is Poisson. */
  readonly arrivals: number;
  /** Measured seconds of the workload. */
  readonly duration: number;
  /** Seconds that are not measured; default: 100 of a workload, none of a trace. */
  readonly warmUp?: number;
  readonly engines: readonly EngineGroup[];
  /** Of the engines that name none. */
  readonly profile: ProfileId;
  readonly kvTokens?: number;
  readonly blockSize?: number;
  readonly policy: readonly PolicyId[];
  readonly seeds: number;
  /** What the router knows of the engines' speed. */
  readonly latency: 'exact' | 'learned';
  readonly eventLag: number;
  readonly poll: number;
  readonly lostEvents: number;
  readonly routers: RoutersSetup;
  readonly kill: readonly FleetChange[];
  /** Sigma of the jitter of every step. */
  readonly jitter: number;
  readonly sloTtft: number;
  readonly sloTpot: number;
  /** Runs at a time; default: one for each core. */
  readonly jobs?: number;
  readonly columns: 'auto' | 'all';
  readonly json?: string;
  readonly html?: string;
}
