import { createHash } from 'node:crypto';
import type { PromptKit } from '@sluice/prompt';
import type { Tracing } from '@sluice/telemetry';
import type { EngineSimConfig } from './config.ts';
import type { KvEventFeed } from './engine/kv-event-feed.ts';
import { Rank } from './engine/rank.ts';
import { MetricsPage } from './metrics/page.ts';
import { RankMetrics } from './metrics/rank-metrics.ts';
import type { JsonObject, Parsed } from './openai/body.ts';
import { badRequest } from './openai/errors.ts';
import type { ServedModels } from './openai/generation-request.ts';
import type { Tokenizer } from './text/tokenizer.ts';
import { createAnswerWriter } from './text/writer.ts';
import type { AnswerWriter } from './text/writer.ts';

/** Everything that the HTTP routes use. */
export class Simulator implements ServedModels {
  readonly config: EngineSimConfig;
  readonly kit: PromptKit;
  readonly tokenizer: Tokenizer;
  readonly writer: AnswerWriter;
  readonly ranks: readonly Rank[];
  readonly feeds: readonly KvEventFeed[];
  readonly metrics: MetricsPage;
  readonly fingerprint: string;
  readonly tracing: Tracing;
  readonly onError: (error: unknown) => void;
  /** Requests that have no complete answer yet. */
  requestsOpen = 0;
  /** Rank that is looked at first for the next request. */
  nextRank = 0;
  private readonly createdS = Math.floor(Date.now() / 1000);

  constructor(
    config: EngineSimConfig,
    kit: PromptKit,
    tokenizer: Tokenizer,
    feeds: readonly KvEventFeed[],
    tracing: Tracing,
    onError: (error: unknown) => void,
  ) {
    this.config = config;
    this.kit = kit;
    this.tokenizer = tokenizer;
    this.feeds = feeds;
    this.tracing = tracing;
    this.onError = onError;
    this.writer = createAnswerWriter(tokenizer, kit.vocabulary.size);
    const metrics = Array.from({ length: config.ranks }, () => new RankMetrics(config.maxModelLen, config.speed));
    this.ranks = metrics.map((of, rank) => {
      const events = config.prefixCaching ? (feeds[rank] ?? null) : null;
      return new Rank({ ...config, metrics: of, events });
    });
    this.metrics = new MetricsPage({
      model: config.model,
      ranks: this.ranks.map((rank, i) => ({ metrics: metrics[i]!, stats: () => rank.stats() })),
      cacheConfig: cacheConfig(config),
      info: { profile: config.profile.id, seed: String(config.seed), speed: String(config.speed) },
      createdS: Date.now() / 1000,
    });
    const identity = createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 8);
    this.fingerprint = `vllm-0.32.0-${config.ranks > 1 ? `dp${config.ranks}-` : ''}${identity}`;
  }

  get model(): string {
    return this.config.model;
  }

  get loras(): readonly string[] {
    return this.config.loras;
  }

  /** The text of a chat request as the model sees it. `source`: the bytes that `body` was parsed from. */
  renderChat(body: JsonObject, source: Buffer): Parsed<string> {
    const rendered = this.kit.renderChat(body, source);
    if (rendered.kind === 'unrenderable') return { kind: 'error', error: badRequest(rendered.reason) };
    return { kind: 'ok', value: new TextDecoder().decode(rendered.bytes) };
  }

  /** `GET /v1/models`. */
  modelList(): object {
    const entry = (id: string, parent: string | null): object => ({
      id,
      object: 'model',
      created: this.createdS,
      owned_by: 'vllm',
      root: id,
      parent,
      max_model_len: parent === null ? this.config.maxModelLen : null,
      permission: [
        {
          id: `modelperm-${createHash('sha256').update(id).digest('hex').slice(0, 16)}`,
          object: 'model_permission',
          created: this.createdS,
          allow_create_engine: false,
          allow_sampling: true,
          allow_logprobs: true,
          allow_search_indices: false,
          allow_view: true,
          allow_fine_tuning: false,
          organization: '*',
          group: null,
          is_blocking: false,
        },
      ],
    });
    const { model, loras } = this.config;
    return { object: 'list', data: [entry(model, null), ...loras.map((lora) => entry(lora, model))] };
  }

  /**
   * `GET /kv_event_sources`: where each rank publishes. A bound address has a `*` as its host: that is how vLLM is told to
   * bind, and how a subscriber knows that it has to connect.
   */
  kvEventSources(): object {
    const { kvEvents } = this.config;
    if (kvEvents === null) return {};
    return Object.fromEntries(
      this.feeds.map((feed, rank) => [
        rank,
        {
          enable_kv_cache_events: true,
          publisher: 'zmq',
          endpoint: kvEvents.bind ? feed.endpoint.replace(/^tcp:\/\/.*:/, 'tcp://*:') : feed.endpoint,
          replay_endpoint: feed.replayEndpoint,
          buffer_steps: kvEvents.bufferSteps,
          hwm: kvEvents.highWaterMark,
          max_queue_size: kvEvents.maxQueueSize,
          topic: kvEvents.topic,
        },
      ]),
    );
  }

  /** Empties every rank's prefix cache; false when one of them could not, because requests hold blocks. */
  resetPrefixCache(): boolean {
    return this.ranks.map((rank) => rank.resetPrefixCache()).every((done) => done);
  }
}

/** Labels of `vllm:cache_config_info` that routers read. vLLM multiplies the number of blocks by the ranks. */
function cacheConfig(config: EngineSimConfig): Record<string, string> {
  const { blockSize, kvBlocks, maxModelLen, ranks, prefixCaching } = config;
  return {
    block_size: String(blockSize),
    cache_dtype: 'auto',
    enable_prefix_caching: prefixCaching ? 'True' : 'False',
    gpu_memory_utilization: '0.92',
    kv_cache_max_concurrency: String((kvBlocks * blockSize) / maxModelLen),
    kv_cache_size_tokens: String(kvBlocks * blockSize),
    num_cpu_blocks: 'None',
    num_gpu_blocks: String(kvBlocks * ranks),
    num_gpu_blocks_override: String(kvBlocks),
    prefix_caching_hash_algo: 'xx64-chain',
    sliding_window: 'None',
  };
}
