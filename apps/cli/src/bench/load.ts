import { seededRng } from '@sluice/numerics';
import { loadTrace, TraceError } from '@sluice/traces';
import { gammaArrivals, playTrace, poissonArrivals } from '@sluice/twin';
import type { SimulatedRequest } from '@sluice/twin';
import { InputError } from '../input.ts';
import { WORKLOADS } from '../simulate/workloads.ts';
import type { BenchOptions } from './options.ts';

const DEFAULT_DURATION_S = 30;
/** For what a chat template adds to a prompt. */
const TEMPLATE_TOKENS = 128;

/** Requests in order of arrival, and the time that is measured. */
export interface Load {
  readonly requests: readonly SimulatedRequest[];
  readonly warmUpMs: number;
  /** From the end of the warm-up to the last arrival that could have been. */
  readonly measuredMs: number;
  /** In words. */
  readonly name: string;
}

/**
 * The requests that the options ask for, cut so that each fits into the model's context.
 * @throws InputError for a trace that cannot be used
 */
export async function createLoad(options: BenchOptions, seed: number, maxModelLen: number): Promise<Load> {
  const { trace, workload, warmUp, qps, arrivals, limit = Infinity } = options;
  const warmUpMs = 1000 * warmUp;
  const measuredS = options.duration ?? DEFAULT_DURATION_S;
  const rate = `${qps} requests/s${arrivals === 1 ? '' : `, gaps with cv ${arrivals}`}`;
  let all: SimulatedRequest[];
  let name: string;
  let measuredMs = 1000 * measuredS;
  if (trace !== undefined) {
    const endMs = options.duration === undefined ? Infinity : warmUpMs + measuredMs;
    all = (await recorded(options, seed, maxModelLen)).filter(({ arrivalMs }) => arrivalMs < endMs);
    if (endMs === Infinity) measuredMs = Math.max(1, (all.slice(0, limit).at(-1)?.arrivalMs ?? 0) - warmUpMs);
    name = `trace ${trace} at ${options.speed} times its speed`;
  } else if (workload !== undefined) {
    all = WORKLOADS[workload]({ qps, cv: arrivals, warmUpS: warmUp, measuredS, seed });
    name = `workload ${workload}, ${rate}`;
  } else {
    all = shaped(options, warmUpMs + measuredMs, seed);
    name = `${options.promptTokens} tokens in (${options.prefixTokens} of ${options.prefixes} shared prefixes), ${options.outputTokens} out, ${rate}`;
  }
  if (all.length === 0) throw new InputError('no request falls into this time: make --duration or --qps larger');
  const requests = all.slice(0, limit).map((request) => fitted(request, maxModelLen));
  return { requests, warmUpMs, measuredMs, name };
}

async function recorded(options: BenchOptions, seed: number, maxModelLen: number): Promise<SimulatedRequest[]> {
  try {
    const { limit = Infinity, speed, format } = options;
    return playTrace(await loadTrace(options.trace!, format, limit), { speed, seed, kvTokens: maxModelLen });
  } catch (error) {
    throw error instanceof TraceError ? new InputError(error.message) : error;
  }
}

/** A steady stream of requests of one size, each beginning with one of a few prefixes. */
function shaped(
  { qps, arrivals, promptTokens, outputTokens, prefixes, prefixTokens }: BenchOptions,
  endMs: number,
  seed: number,
): SimulatedRequest[] {
  const rng = seededRng(seed);
  const times = arrivals === 1 ? poissonArrivals(qps, endMs, rng) : gammaArrivals(qps, arrivals, endMs, rng);
  return times.map((arrivalMs) => {
    const prefix = Math.floor(rng() * prefixes);
    return {
      arrivalMs,
      blocks: prefixTokens > 0 ? [prefix] : [],
      blockTokens: Math.max(1, prefixTokens),
      promptTokens,
      outputTokens,
      session: null,
    };
  });
}

function fitted(request: SimulatedRequest, maxModelLen: number): SimulatedRequest {
  const room = Math.max(2, maxModelLen - TEMPLATE_TOKENS);
  const promptTokens = Math.min(request.promptTokens, room - 1);
  return { ...request, promptTokens, outputTokens: Math.min(request.outputTokens, room - promptTokens) };
}
