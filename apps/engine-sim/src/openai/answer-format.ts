import type { FinishReason } from '@sluice/engine-model';

/** What an answer says about itself, the same on every chunk. */
export interface AnswerHeader {
  readonly id: string;
  readonly createdS: number;
  readonly model: string;
  readonly fingerprint: string;
}

/** Token counts of a request. */
export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** null: details are switched off. */
  readonly details: { readonly cachedTokens: number; readonly createdCacheTokens: number } | null;
}

/** How an answer ended; `stopReason` is the stop string, or null. */
export interface Ending {
  readonly reason: FinishReason;
  readonly stopReason: string | null;
}

export interface WholeAnswer {
  readonly text: string;
  readonly ending: Ending;
  readonly usage: Usage;
  /** Filled when the client asked for token ids. */
  readonly promptTokenIds: readonly number[] | null;
  readonly tokenIds: readonly number[] | null;
}

export interface Delta {
  readonly text: string;
  readonly tokenIds: readonly number[] | null;
  readonly ending: Ending | null;
  /** On every chunk when the client asked for continuous usage. */
  readonly usage: Usage | null;
  /** The chunk is the last with a choice and no usage chunk follows: it carries the fingerprint. */
  readonly fingerprint: boolean;
}

/** The JSON of an endpoint's answers, with vLLM's fields in vLLM's order. */
export interface AnswerFormat {
  /** Chunks that come with the first token, before it. */
  opening(header: AnswerHeader, promptTokenIds: readonly number[] | null, usage: Usage | null): readonly string[];
  chunk(header: AnswerHeader, delta: Delta, promptTokenIds: readonly number[] | null): string;
  usageChunk(header: AnswerHeader, usage: Usage): string;
  whole(header: AnswerHeader, answer: WholeAnswer): string;
}

const counts = (usage: Usage): object => ({
  prompt_tokens: usage.promptTokens,
  total_tokens: usage.promptTokens + usage.completionTokens,
  completion_tokens: usage.completionTokens,
});

const runningUsage = (usage: Usage | null): object =>
  usage === null ? {} : { usage: { ...counts(usage), completion_tokens_details: null } };

const fingerprintOf = (header: AnswerHeader, wanted: boolean): object =>
  wanted ? { system_fingerprint: header.fingerprint } : {};

const head = (header: AnswerHeader, object: string): object => ({
  id: header.id,
  object,
  created: header.createdS,
  model: header.model,
});

/** Ids as JSON: null unless asked for. */
type Ids = readonly number[] | null;

export const CHAT_FORMAT: AnswerFormat = {
  opening(header, promptTokenIds, usage) {
    const choice = { index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null };
    return [
      JSON.stringify({
        ...head(header, 'chat.completion.chunk'),
        choices: [choice],
        ...runningUsage(usage),
        prompt_token_ids: promptTokenIds,
        prompt_text: null,
      }),
    ];
  },
  chunk(header, delta) {
    const ending =
      delta.ending === null
        ? { finish_reason: null }
        : { finish_reason: delta.ending.reason, stop_reason: delta.ending.stopReason };
    const choice = { index: 0, delta: { content: delta.text }, logprobs: null, ...ending, token_ids: delta.tokenIds };
    return JSON.stringify({
      ...head(header, 'chat.completion.chunk'),
      choices: [choice],
      ...runningUsage(delta.usage),
      ...fingerprintOf(header, delta.fingerprint),
    });
  },
  usageChunk(header, usage) {
    return usageChunk(header, 'chat.completion.chunk', usage, (details) => ({
      cached_tokens: details.cachedTokens,
      created_cache_tokens: details.createdCacheTokens,
    }));
  },
  whole(header, { text, ending, usage, promptTokenIds, tokenIds }) {
    const message = {
      role: 'assistant',
      content: text,
      refusal: null,
      annotations: null,
      audio: null,
      function_call: null,
      reasoning: null,
    };
    return JSON.stringify({
      ...head(header, 'chat.completion'),
      choices: [{ index: 0, message, ...choiceEnd(ending, tokenIds), routed_experts: null }],
      ...wholeEnd(header, usage, true),
      prompt_logprobs: null,
      prompt_token_ids: promptTokenIds,
      prompt_text: null,
      ...TRANSFER,
    });
  },
};

export const COMPLETION_FORMAT: AnswerFormat = {
  opening: () => [],
  chunk(header, delta, promptTokenIds) {
    const choice = {
      index: 0,
      text: delta.text,
      logprobs: null,
      finish_reason: delta.ending?.reason ?? null,
      stop_reason: delta.ending?.stopReason ?? null,
      prompt_token_ids: promptTokenIds,
      token_ids: delta.tokenIds,
    };
    return JSON.stringify({
      ...head(header, 'text_completion'),
      choices: [choice],
      ...runningUsage(delta.usage),
      ...fingerprintOf(header, delta.fingerprint),
    });
  },
  usageChunk(header, usage) {
    return usageChunk(header, 'text_completion', usage, (details) => ({ cached_tokens: details.cachedTokens }));
  },
  whole(header, { text, ending, usage, promptTokenIds, tokenIds }) {
    const choice = {
      index: 0,
      text,
      ...choiceEnd(ending, tokenIds),
      prompt_logprobs: null,
      prompt_token_ids: promptTokenIds,
      routed_experts: null,
    };
    return JSON.stringify({
      ...head(header, 'text_completion'),
      choices: [choice],
      ...wholeEnd(header, usage, false),
      ...TRANSFER,
    });
  },
};

const TRANSFER = { kv_transfer_params: null, ec_transfer_params: null, metrics: null };

const choiceEnd = (ending: Ending, tokenIds: Ids): object => ({
  logprobs: null,
  finish_reason: ending.reason,
  stop_reason: ending.stopReason,
  token_ids: tokenIds,
});

/** Fields of a whole answer behind its choices. Only chats count the cache tokens that they created. */
function wholeEnd(header: AnswerHeader, usage: Usage, chat: boolean): object {
  const details =
    usage.details === null
      ? null
      : {
          cached_tokens: usage.details.cachedTokens,
          created_cache_tokens: chat ? usage.details.createdCacheTokens : null,
          multimodal_tokens: null,
        };
  return {
    service_tier: null,
    system_fingerprint: header.fingerprint,
    usage: { ...counts(usage), prompt_tokens_details: details, completion_tokens_details: null },
  };
}

function usageChunk(
  header: AnswerHeader,
  object: string,
  usage: Usage,
  details: (details: NonNullable<Usage['details']>) => object,
): string {
  const extra = usage.details === null ? {} : { prompt_tokens_details: details(usage.details) };
  return JSON.stringify({
    ...head(header, object),
    choices: [],
    usage: { ...counts(usage), ...extra },
    system_fingerprint: header.fingerprint,
  });
}
