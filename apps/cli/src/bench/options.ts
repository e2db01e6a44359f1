import type { FormatId } from '@sluice/traces';
import type { WorkloadId } from '../simulate/workloads.ts';

/** What was asked for on the command line, parsed. */
export interface BenchOptions {
  /** Origin of an OpenAI server: a router, an engine, anything. */
  readonly url: string;
  /** Default: the first that the server lists. */
  readonly model?: string;
  readonly apiKey?: string;
  /** A trace to replay, a workload of the simulator, or neither: the shape below. */
  readonly trace?: string;
  readonly format: FormatId;
  readonly speed: number;
  readonly workload?: WorkloadId;
  readonly limit?: number;
  /** Requests per second; not of a trace. */
  readonly qps: number;
  /** Coefficient of variation of the gaps between requests; 1 is Poisson. */
  readonly arrivals: number;
  /** Measured seconds; of a trace, at most. */
  readonly duration?: number;
  /** Seconds before that which are sent and not measured. */
  readonly warmUp: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** How many different prefixes prompts begin with, and how long these are. */
  readonly prefixes: number;
  readonly prefixTokens: number;
  /** Whether engines are told to go on to the last token that was asked for. */
  readonly ignoreEos: boolean;
  /** Default: another one each time, so that no run finds the last one's prompts in the caches. */
  readonly seed?: number;
  readonly sloTtft: number;
  readonly sloTpot: number;
  /** Seconds after which a request is given up. */
  readonly timeout: number;
  readonly json: boolean;
}
