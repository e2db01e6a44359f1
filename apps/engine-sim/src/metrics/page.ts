import type { EngineStats } from '@sluice/engine-model';
import type { Histogram } from './histogram.ts';
import type { RankMetrics } from './rank-metrics.ts';

/** One rank, as the metrics page sees it. */
export interface RankSource {
  readonly metrics: RankMetrics;
  stats(): EngineStats;
}

export interface PageOptions {
  readonly model: string;
  readonly ranks: readonly RankSource[];
  /** Labels of `vllm:cache_config_info`, without `engine`. */
  readonly cacheConfig: Readonly<Record<string, string>>;
  /** Labels of `engine_sim_info`: what a real engine does not have. */
  readonly info: Readonly<Record<string, string>>;
  /** Start of the process, seconds since the Unix epoch: the `_created` series. */
  readonly createdS: number;
}

type Labels = Readonly<Record<string, string>>;
type RankValue = (stats: EngineStats, metrics: RankMetrics) => number;

/** A line of the page with a value per rank, whose constant part was written in advance. */
interface Series {
  readonly prefix: string;
  readonly rank: number;
  readonly value: RankValue;
}

/** Python's client writes integers with `.0`, large numbers like Go (`2e+06`), and small ones as Python does (`4e-07`). */
export function formatValue(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  const size = Math.abs(value);
  if (size < 1e6 && (size >= 1e-4 || size === 0)) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [mantissa, exponent] = value.toExponential().split('e');
  return `${mantissa}e${exponent![0]}${exponent!.slice(1).padStart(2, '0')}`;
}

/** Label values are sorted by name, as Python's client does. */
function labelText(labels: Labels): string {
  const pairs = Object.keys(labels)
    .sort()
    .map((name) => `${name}="${labels[name]!.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`);
  return `{${pairs.join(',')}}`;
}

/**
 * The text of `/metrics`: vLLM's families with vLLM's help, labels, order and number format. Everything but the numbers
 * is made once; a scrape only joins strings.
 */
export class MetricsPage {
  private readonly ranks: readonly RankSource[];
  private readonly model: string;
  private readonly created: string;
  /** Constant text and series in order. */
  private readonly parts: (string | Series)[] = [];

  constructor(options: PageOptions) {
    this.ranks = options.ranks;
    this.model = options.model;
    this.created = formatValue(options.createdS);
    this.addScalars();
    this.addHistograms();
    this.head('vllm:cache_config_info', 'gauge', 'Information of the LLMEngine CacheConfig');
    for (let rank = 0; rank < this.ranks.length; rank++) {
      const labels = { ...options.cacheConfig, engine: String(rank) };
      this.parts.push(`vllm:cache_config_info${labelText(labels)} 1.0\n`);
    }
    this.head('engine_sim_info', 'gauge', 'This engine is simulated; times are divided by the speed factor.');
    this.parts.push(`engine_sim_info${labelText(options.info)} 1.0\n`);
    this.family('engine_sim_clock_lag_seconds_total', 'counter', 'Time by which the simulated clock fell behind.', [
      [{}, (_, m) => m.lagMs / 1000],
    ]);
  }

  /** The page, now; with `names` only the samples of those names, as Python's client answers `name[]=...`. */
  render(names?: ReadonlySet<string>): string {
    const stats = this.ranks.map((rank) => rank.stats());
    let text = '';
    let head = '';
    for (const part of this.parts) {
      const constant = typeof part === 'string';
      if (names !== undefined) {
        const line = constant ? part : part.prefix;
        if (line.startsWith('#')) {
          head = line;
          continue;
        }
        if (!names.has(line.slice(0, line.indexOf('{')))) continue;
        text += head;
        head = '';
      }
      text += constant
        ? part
        : `${part.prefix}${formatValue(part.value(stats[part.rank]!, this.ranks[part.rank]!.metrics))}\n`;
    }
    return text;
  }

  private head(name: string, type: string, help: string): void {
    this.parts.push(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
  }

  private labels(rank: number, more: Labels): Labels {
    return { engine: String(rank), model_name: this.model, ...more };
  }

  private family(name: string, type: 'counter' | 'gauge', help: string, series: readonly [Labels, RankValue][]): void {
    this.head(name, type, help);
    for (const [more, value] of series) {
      for (let rank = 0; rank < this.ranks.length; rank++) {
        this.parts.push({ prefix: `${name}${labelText(this.labels(rank, more))} `, rank, value });
      }
    }
    if (type === 'counter')
      this.createdFamily(
        name.replace(/_total$/, '_created'),
        help,
        series.map(([more]) => more),
      );
  }

  private createdFamily(name: string, help: string, series: readonly Labels[]): void {
    this.head(name, 'gauge', help);
    for (const more of series) {
      for (let rank = 0; rank < this.ranks.length; rank++) {
        this.parts.push(`${name}${labelText(this.labels(rank, more))} ${this.created}\n`);
      }
    }
  }

  private addScalars(): void {
    const zero: RankValue = () => 0;
    const one = (name: string, type: 'counter' | 'gauge', help: string, value: RankValue): void =>
      this.family(`vllm:${name}`, type, help, [[{}, value]]);
    const by = (
      name: string,
      type: 'counter' | 'gauge',
      help: string,
      label: string,
      values: Readonly<Record<string, RankValue>>,
    ): void =>
      this.family(
        `vllm:${name}`,
        type,
        help,
        Object.entries(values).map(([text, value]) => [{ [label]: text }, value]),
      );

    one('num_requests_running', 'gauge', 'Number of requests in model execution batches.', (s) => s.runningRequests);
    one('num_requests_waiting', 'gauge', 'Number of requests waiting to be processed.', (s) => s.waitingRequests);
    by(
      'num_requests_waiting_by_reason',
      'gauge',
      "Number of waiting requests by reason. Reason labels: 'capacity' = waiting for scheduling capacity; 'deferred' = deferred by transient constraints (LoRA budget, KV transfer, blocked status). Sum of all reasons equals vllm:num_requests_waiting.",
      'reason',
      { capacity: (s) => s.waitingRequests, deferred: zero },
    );
    by(
      'engine_sleep_state',
      'gauge',
      'Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake; weights_offloaded = 1 means sleep level 1; discard_all = 1 means sleep level 2.',
      'sleep_state',
      { awake: () => 1, weights_offloaded: zero, discard_all: zero },
    );
    one('kv_cache_usage_perc', 'gauge', 'KV-cache usage. 1 means 100 percent usage.', (s) => s.kvUsage);
    const queries = 'Prefix cache queries, in terms of number of queried tokens.';
    one('prefix_cache_queries_total', 'counter', queries, (s) => s.prefixQueryTokens);
    const hits = 'Prefix cache hits, in terms of number of cached tokens.';
    one('prefix_cache_hits_total', 'counter', hits, (s) => s.prefixHitTokens);
    const external = 'from KV connector cross-instance cache sharing, in terms of number of';
    one(
      'external_prefix_cache_queries_total',
      'counter',
      `External prefix cache queries ${external} queried tokens.`,
      zero,
    );
    one('external_prefix_cache_hits_total', 'counter', `External prefix cache hits ${external} cached tokens.`, zero);
    const preemptions = 'Cumulative number of preemption from the engine.';
    one('num_preemptions_total', 'counter', preemptions, (s) => s.preemptions);
    one('prompt_tokens_total', 'counter', 'Number of prefill tokens processed.', (_, m) => m.promptTokens);
    by('prompt_tokens_by_source_total', 'counter', 'Number of prompt tokens by source.', 'source', {
      local_compute: (_, m) => m.promptTokens - m.cachedPromptTokens,
      local_cache_hit: (_, m) => m.cachedPromptTokens,
      external_kv_transfer: zero,
    });
    one(
      'prompt_tokens_cached_total',
      'counter',
      'Number of cached prompt tokens (local + external).',
      (_, m) => m.cachedPromptTokens,
    );
    by(
      'prompt_tokens_cached_by_source_total',
      'counter',
      'Prefix-cache hit tokens by the cache tier that supplied them: device (local HBM), host (offloaded to DRAM), disk, p2p (transferred from another vLLM instance) or external_unspecified. Counted at admission; sums to vllm:prefix_cache_hits + vllm:external_prefix_cache_hits.',
      'source',
      { device: (s) => s.prefixHitTokens, host: zero, p2p: zero, disk: zero, external_unspecified: zero },
    );
    one('generation_tokens_total', 'counter', 'Number of generation tokens processed.', (_, m) => m.generationTokens);
    by('request_success_total', 'counter', 'Count of successfully processed requests.', 'finished_reason', {
      stop: (_, m) => m.successes.stop,
      length: (_, m) => m.successes.length,
      abort: zero,
      error: zero,
      repetition: zero,
    });
  }

  private addHistograms(): void {
    const add = (name: string, help: string, of: (metrics: RankMetrics) => Histogram): void =>
      this.histogram(`vllm:${name}`, help, of);
    add('request_prompt_tokens', 'Number of prefill tokens processed.', (m) => m.requestPromptTokens);
    add('request_generation_tokens', 'Number of generation tokens processed.', (m) => m.requestGenerationTokens);
    add('iteration_tokens_total', 'Histogram of number of tokens per engine_step.', (m) => m.stepTokens);
    add(
      'request_max_num_generation_tokens',
      'Histogram of maximum number of requested generation tokens.',
      (m) => m.requestMaxGenerationTokens,
    );
    add('request_params_n', 'Histogram of the n request parameter.', (m) => m.requestN);
    add('request_params_max_tokens', 'Histogram of the max_tokens request parameter.', (m) => m.requestMaxTokens);
    add('time_to_first_token_seconds', 'Histogram of time to first token in seconds.', (m) => m.firstTokenS);
    add('inter_token_latency_seconds', 'Histogram of inter-token latency in seconds.', (m) => m.interTokenS);
    add(
      'request_time_per_output_token_seconds',
      'Histogram of time_per_output_token_seconds per request.',
      (m) => m.timePerOutputTokenS,
    );
    add('e2e_request_latency_seconds', 'Histogram of e2e request latency in seconds.', (m) => m.e2eS);
    const phase = (name: string): string => `Histogram of time spent in ${name} phase for request.`;
    add('request_queue_time_seconds', phase('WAITING'), (m) => m.queueS);
    add('request_inference_time_seconds', phase('RUNNING'), (m) => m.inferenceS);
    add('request_prefill_time_seconds', phase('PREFILL'), (m) => m.prefillS);
    add('request_decode_time_seconds', phase('DECODE'), (m) => m.decodeS);
    add(
      'request_num_preemptions',
      'Histogram of the number of times a request was preempted.',
      (m) => m.requestPreemptions,
    );
    add(
      'request_prefill_kv_computed_tokens',
      'Histogram of new KV tokens computed during prefill (excluding cached tokens).',
      (m) => m.requestComputedTokens,
    );
  }

  private histogram(name: string, help: string, of: (metrics: RankMetrics) => Histogram): void {
    this.head(name, 'histogram', help);
    for (let rank = 0; rank < this.ranks.length; rank++) {
      const { bounds } = of(this.ranks[rank]!.metrics);
      for (let bucket = 0; bucket <= bounds.length; bucket++) {
        const le = bucket < bounds.length ? formatValue(bounds[bucket]!) : '+Inf';
        const value: RankValue = (_, metrics) => cumulative(of(metrics), bucket);
        this.parts.push({ prefix: `${name}_bucket${labelText(this.labels(rank, { le }))} `, rank, value });
      }
      const labels = labelText(this.labels(rank, {}));
      const count: RankValue = (_, metrics) => cumulative(of(metrics), bounds.length);
      this.parts.push({ prefix: `${name}_count${labels} `, rank, value: count });
      this.parts.push({ prefix: `${name}_sum${labels} `, rank, value: (_, metrics) => of(metrics).sum });
    }
    this.createdFamily(`${name}_created`, help, [{}]);
  }
}

/** Observations in the first `bucket + 1` buckets. */
function cumulative(histogram: Histogram, bucket: number): number {
  let sum = 0;
  for (let i = 0; i <= bucket; i++) sum += histogram.counts[i]!;
  return sum;
}
