import type { WorkerId } from '@sluice/model';
import { rootKey } from '@sluice/model';
import { createMatches, createPrefixIndex } from '@sluice/prefix-index';
import type { IndexStats, PrefixIndex, SpeculationId } from '@sluice/prefix-index';
import type { Pool } from '../fleet/pool.ts';
import type { Worker } from '../fleet/worker.ts';
import { freeBytes } from '../request/free-bytes.ts';
import type { InferenceRequest } from '../request/parse-request.ts';
import { ActivePrompts } from './active-prompts.ts';
import type { ActivePrompt } from './active-prompts.ts';
import { plainLayout } from './plain-layout.ts';

/** The bytes that a request is looked up by; its own until {@link PrefixView.release}. */
export interface Prompt {
  readonly bytes: Uint8Array;
  /** Bytes of further prompts in the same request, which are not looked up. */
  readonly otherBytes: number;
  readonly rootHi: number;
  readonly rootLo: number;
  /** Whether they are exactly what the engine tokenises. */
  readonly exact: boolean;
  /** Why they are not; an empty string when they are. */
  readonly reason: string;
}

/** A routed prompt that the index takes the worker to hold, until the worker's own events say so. */
export interface Speculation {
  readonly worker: WorkerId;
  readonly id: SpeculationId;
  readonly atMs: number;
  /** Null where nothing counts the prompts in flight. */
  readonly active: ActivePrompt | null;
}

/** What the view needs of the event feed: see EventFeed. */
export interface FeedView {
  confidence(id: WorkerId): 'live' | 'incomplete' | 'none';
  /** When the latest batch of the worker was applied; -Infinity before the first. */
  appliedAtMs(id: WorkerId): number;
}

/** No prefill takes longer; only entries whose request never settles get this old. */
const SPECULATION_MS = 600_000;
/** Events of a prompt follow its first token by a few milliseconds; a speculation outlives its request by this much. */
const GRACE_MS = 250;
/** Capacity taken for an engine that has not said its own. */
const DEFAULT_CAPACITY_TOKENS = 100_000;

/**
 * Which worker holds which prefix, as this router sees it: the embedded index, fed by the workers' events (EventFeed)
 * and by what was routed. Workers without live events hold what was routed to them, least recently used first to go.
 */
export class PrefixView {
  readonly index: PrefixIndex;
  #feed: FeedView = { confidence: () => 'none', appliedAtMs: () => -Infinity };
  readonly #matches = createMatches(16);
  readonly #confirmed = createMatches(16);
  readonly #root = new Uint32Array(2);
  /** Finished speculations that wait for the worker's events, oldest first. */
  readonly #ending: { readonly id: SpeculationId; readonly dueMs: number }[] = [];
  /** Capacity and ratio that the index was told, by worker; null: the worker sends events. */
  readonly #capacities = new Map<WorkerId, number | null>();

  readonly #active = new ActivePrompts();
  readonly #countsActive: (pool: Pool) => boolean;

  /** @param countsActive whether a policy asked about the pool's requests reads `activePromptTokens` */
  constructor(maxNodes: number, countsActive: (pool: Pool) => boolean) {
    this.#countsActive = countsActive;
    this.index = createPrefixIndex({ maxNodes });
  }

  /** The feed writes to the same index; it is made after the view. */
  useFeed(feed: FeedView): void {
    this.#feed = feed;
  }

  addWorker(worker: Worker): void {
    this.index.addWorker(worker.spec.id);
    this.refreshCapacity(worker);
  }

  removeWorker(worker: Worker): void {
    this.index.removeWorker(worker.spec.id);
    this.#capacities.delete(worker.spec.id);
    this.#active.removeWorker(worker.spec.id);
  }

  /** Row of a worker in the index. */
  row(id: WorkerId): number {
    return this.index.row(id) ?? this.index.addWorker(id);
  }

  stats(): IndexStats {
    return this.index.stats();
  }

  /** Whether events say what the worker holds; else what was routed there has to do. */
  hasEvents(worker: Worker): boolean {
    return worker.pool.kit !== null && this.#feed.confidence(worker.spec.id) !== 'none';
  }

  /** Tells the index how a worker's holdings are known, when that has changed noticeably. */
  refreshCapacity(worker: Worker): void {
    const { pool, spec } = worker;
    const row = pool.table.row(spec.id);
    const said = row < 0 ? 0 : pool.table.columns.kvCapacityTokens[row]!;
    const tokens = this.hasEvents(worker) ? null : said > 0 ? said : DEFAULT_CAPACITY_TOKENS;
    const bytes = tokens === null ? null : tokens * pool.learned.bytesPerToken;
    const before = this.#capacities.get(spec.id);
    if (before === bytes) return;
    if (typeof before === 'number' && bytes !== null && Math.abs(before - bytes) < 0.1 * before) return;
    this.#capacities.set(spec.id, bytes);
    this.index.setCapacity(this.row(spec.id), tokens, pool.learned.bytesPerToken);
  }

  /** The prompt of a request: rendered by the pool's kit, else in the plain layout below a root of its own. */
  render(pool: Pool, request: InferenceRequest): Prompt {
    if (request.api === 'embeddings') return this.#plain(pool, request, 'embeddings are not cached');
    if (pool.kit === null) return this.#plain(pool, request, pool.kitReason);
    const { json, body } = request;
    const [first, ...others] =
      request.api === 'chat' ? [pool.kit.renderChat(json, body)] : pool.kit.renderCompletion(json['prompt']);
    if (first === undefined) return this.#plain(pool, request, 'there is no prompt');
    if (first.kind === 'unrenderable') return this.#plain(pool, request, first.reason);
    const otherBytes = others.reduce((sum, other) => sum + (other.kind === 'rendered' ? other.bytes.length : 0), 0);
    return this.#prompt(pool.id, pool, request, first.bytes, otherBytes, '');
  }

  /** The request of the prompt has ended: its bytes are needed no more. */
  release(prompt: Prompt): void {
    freeBytes(prompt.bytes);
  }

  /**
   * Fills `cachedTokens` of every row of the pool with what its engine would not compute again, by vLLM's rule: whole
   * blocks only, and the last block again when it would be the whole prompt. Returns the prompt's tokens: exact where
   * the longest match covers it, estimated for the rest. Fills `activePromptTokens` too where a policy reads it.
   */
  fillCachedTokens(pool: Pool, prompt: Prompt, nowMs: number): number {
    this.#endDue(nowMs);
    const { cachedTokens, size } = pool.table.columns;
    const { bytesPerToken } = pool.learned;
    const length = prompt.bytes.length;
    const matches = this.#matches;
    this.index.match(prompt.rootHi, prompt.rootLo, prompt.bytes, bytesPerToken, nowMs, matches);
    let knownTokens = 0;
    let knownBytes = 0;
    for (let row = 0; row < size; row++) {
      const at = pool.indexRows[row]!;
      if (matches.confirmedBytes[at]! <= knownBytes) continue;
      knownBytes = matches.confirmedBytes[at]!;
      knownTokens = matches.confirmedTokens[at]!;
    }
    const firstTokens = Math.max(1, knownTokens + (length - knownBytes) / bytesPerToken);
    for (let row = 0; row < size; row++) {
      const at = pool.indexRows[row]!;
      const tokens = matches.cachedTokens[at]!;
      cachedTokens[row] =
        matches.whole[at] === 1 ? tokens - matches.lastBlockTokens[at]! : Math.min(tokens, firstTokens - 1);
    }
    if (this.#countsActive(pool)) this.#active.fill(pool, prompt);
    return firstTokens + prompt.otherBytes / bytesPerToken;
  }

  /** Of the prompt, what the worker's events say that it holds. */
  confirmedBytes(worker: WorkerId, prompt: Prompt, nowMs: number): number {
    const matches = this.#confirmed;
    this.index.match(prompt.rootHi, prompt.rootLo, prompt.bytes, 1, nowMs, matches);
    return matches.confirmedBytes[this.row(worker)]!;
  }

  /** The prompt was routed to the worker. */
  speculate(worker: Worker, prompt: Prompt, nowMs: number): Speculation {
    const row = this.row(worker.spec.id);
    const { rootHi, rootLo, bytes } = prompt;
    const id = this.index.speculate(row, rootHi, rootLo, bytes, nowMs, nowMs + SPECULATION_MS);
    const active = this.#countsActive(worker.pool) ? this.#active.sent(worker.spec.id, prompt) : null;
    return { worker: worker.spec.id, id, atMs: nowMs, active };
  }

  /** The request ended. `computed`: the worker has computed the prompt. */
  settle(speculation: Speculation, computed: boolean, nowMs: number): void {
    const { worker, id, atMs, active } = speculation;
    if (active !== null) this.#active.ended(active);
    if (!computed) this.index.forget(id);
    // Events since the dispatch have arrived: what the worker holds is known exactly from here on.
    else if (this.#feed.appliedAtMs(worker) > atMs || this.#capacities.get(worker) !== null) this.index.confirm(id);
    else this.#ending.push({ id, dueMs: nowMs + GRACE_MS });
  }

  #endDue(nowMs: number): void {
    while (this.#ending.length > 0 && this.#ending[0]!.dueMs <= nowMs) this.index.confirm(this.#ending.shift()!.id);
  }

  /** Plain text must not meet blocks of exact text: another root, below which only routed prompts are. */
  #plain(pool: Pool, request: InferenceRequest, reason: string): Prompt {
    return this.#prompt(`${pool.id}/plain`, pool, request, plainLayout(request.json), 0, reason);
  }

  #prompt(
    rootPool: string,
    pool: Pool,
    { model, cacheSalt }: InferenceRequest,
    bytes: Uint8Array,
    otherBytes: number,
    reason: string,
  ): Prompt {
    rootKey({ pool: rootPool, lora: pool.lora(model), salt: cacheSalt }, this.#root);
    return { bytes, otherBytes, rootHi: this.#root[0]!, rootLo: this.#root[1]!, exact: reason === '', reason };
  }
}
