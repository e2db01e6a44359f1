import type { Load } from './load.ts';
import type { RunResult, Sample } from './run-load.ts';

/** Of the requests that completed; null when none did. */
export interface Distribution {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** What a run says of the server, and of the client itself. */
export interface Measurement {
  readonly requests: { readonly sent: number; readonly completed: number; readonly failed: number };
  /** Failed requests by reason. */
  readonly failures: Readonly<Record<string, number>>;
  readonly measuredS: number;
  /** From when a request was due. */
  readonly ttftMs: Distribution | null;
  /** Time per output token after the first. */
  readonly tpotMs: Distribution | null;
  readonly e2eMs: Distribution | null;
  readonly requestsPerS: number;
  readonly outputTokensPerS: number;
  /** Requests per second that met both limits, and their share of all that were sent. */
  readonly goodputPerS: number;
  readonly goodShare: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Null when the server does not tell. */
  readonly cachedTokens: number | null;
  /** Requests by `x-sluice-worker`; empty behind no Sluice. */
  readonly workers: Readonly<Record<string, number>>;
  readonly client: {
    /** Between when a request was due and when it was sent. */
    readonly latenessMs: Distribution | null;
    readonly loopDelayMs: { readonly p99: number; readonly max: number };
    /** The client did not keep up: its numbers tell of itself, not of the server. */
    readonly behind: boolean;
  };
}

export interface ServiceLevel {
  readonly ttftMs: number;
  readonly tpotMs: number;
}

/** A client that is later than this with 1 % of its requests measures itself. */
const MOST_LATE_MS = 50;
const MOST_LOOP_DELAY_MS = 100;

/** Judges the requests that were due after the warm-up. */
export function measure({ samples, loopDelayMs, stopped }: RunResult, load: Load, slo: ServiceLevel): Measurement {
  const counted = samples.filter(({ dueMs }) => dueMs >= load.warmUpMs);
  const completed = counted.filter(isCompleted);
  const lastDueMs = counted.reduce((last, { dueMs }) => Math.max(last, dueMs), load.warmUpMs);
  // A run that was stopped measured up to where it came.
  const measuredS = (stopped ? Math.max(1, lastDueMs - load.warmUpMs) : load.measuredMs) / 1000;
  const ttft = ({ firstMs, dueMs }: Completed): number => firstMs - dueMs;
  const good = completed.filter((each) => ttft(each) <= slo.ttftMs && (tpotOf(each) ?? 0) <= slo.tpotMs);
  const outputTokens = sum(completed, ({ usage }) => usage.completion_tokens);
  const cached = completed.map(({ usage }) => usage.prompt_tokens_details?.cached_tokens ?? null);
  const lateness = distribution(counted.map(({ sentMs, dueMs }) => sentMs - dueMs));
  return {
    requests: { sent: counted.length, completed: completed.length, failed: counted.length - completed.length },
    failures: tally(counted, ({ failure, usage }) => failure ?? (usage === null ? 'answer without usage' : null)),
    measuredS,
    ttftMs: distribution(completed.map(ttft)),
    tpotMs: distribution(completed.map(tpotOf).filter((each) => each !== null)),
    e2eMs: distribution(completed.map(({ lastMs, dueMs }) => lastMs - dueMs)),
    requestsPerS: completed.length / measuredS,
    outputTokensPerS: outputTokens / measuredS,
    goodputPerS: good.length / measuredS,
    goodShare: counted.length === 0 ? 0 : good.length / counted.length,
    promptTokens: sum(completed, ({ usage }) => usage.prompt_tokens),
    outputTokens,
    cachedTokens: cached.every((tokens) => tokens === null) ? null : sum(cached, (tokens) => tokens ?? 0),
    workers: tally(completed, ({ worker }) => worker),
    client: {
      latenessMs: lateness,
      loopDelayMs,
      behind: (lateness?.p99 ?? 0) > MOST_LATE_MS || loopDelayMs.p99 > MOST_LOOP_DELAY_MS,
    },
  };
}

type Completed = Sample & {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly usage: NonNullable<Sample['usage']>;
};

const isCompleted = (sample: Sample): sample is Completed =>
  sample.failure === null && sample.usage !== null && sample.firstMs !== null;

/** Null for an answer of one token: it has no time per further token. */
function tpotOf({ firstMs, lastMs, usage }: Completed): number | null {
  const further = usage.completion_tokens - 1;
  return further > 0 ? (lastMs - firstMs) / further : null;
}

/** Percentiles by nearest rank. */
export function distribution(values: readonly number[]): Distribution | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
  return {
    mean: sorted.reduce((total, value) => total + value, 0) / sorted.length,
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    max: at(1),
  };
}

const sum = <Item>(items: readonly Item[], of: (item: Item) => number): number =>
  items.reduce((total, item) => total + of(item), 0);

function tally(items: readonly Sample[], of: (item: Sample) => string | null): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) {
    const name = of(item);
    if (name !== null) counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
