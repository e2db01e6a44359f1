import { badRequest, pythonFloat, schemaErrors, unknownModel } from './errors.ts';
import type { ApiError } from './errors.ts';
import { FieldReader } from './body.ts';
import type { JsonObject, Parsed } from './body.ts';

/** What a chat or a completion asks for, checked as far as that is possible without its tokens. */
export interface GenerationRequest {
  /** Name to answer with. */
  readonly model: string;
  readonly lora: string | null;
  readonly prompt:
    | { readonly kind: 'chat'; readonly body: JsonObject }
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'tokens'; readonly ids: readonly number[] };
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Usage on every chunk. */
  readonly continuousUsage: boolean;
  /** null: no limit asked for. */
  readonly maxTokens: number | null;
  readonly minTokens: number;
  readonly ignoreEos: boolean;
  readonly stops: readonly string[];
  readonly cacheSalt: string | null;
  readonly seed: number;
  readonly returnTokenIds: boolean;
}

/** Names that the engine answers to. */
export interface ServedModels {
  readonly model: string;
  readonly loras: readonly string[];
}

/** OpenAI's limit of a completion that names none. */
const DEFAULT_COMPLETION_TOKENS = 16;
const MAX_N = 16_384;
const MAX_LOGPROBS = 20;

const failed = (error: ApiError): Parsed<never> => ({ kind: 'error', error });

/** Whether `model` is served, and under which adapter; a missing name means the base model. */
export function resolveModel(
  model: string | null,
  served: ServedModels,
): Parsed<{ readonly name: string; readonly lora: string | null }> {
  if (model === null || model === served.model) return { kind: 'ok', value: { name: served.model, lora: null } };
  if (served.loras.includes(model)) return { kind: 'ok', value: { name: model, lora: model } };
  return failed(unknownModel(model, [served.model]));
}

/** Reads the body of `/v1/chat/completions`. */
export function readChatRequest(body: JsonObject, served: ServedModels): Parsed<GenerationRequest> {
  const fields = new FieldReader(body);
  const messages = fields.requiredList('messages');
  messages?.forEach((message, i) => {
    if (typeof message === 'object' && message !== null && !Array.isArray(message)) return;
    const loc = `body.messages.${i}`;
    fields.errors.push({ type: 'dict_type', loc, msg: 'Input should be a valid dictionary' });
  });
  fields.list('tools');
  const common = readCommon(fields, fields.integer('max_completion_tokens') ?? fields.integer('max_tokens'));
  const logprobs = fields.boolean('logprobs') ? (fields.integer('top_logprobs') ?? 0) : null;
  return finish(
    fields,
    common,
    served,
    () => {
      if (messages!.length === 0) {
        return badRequest('Cannot apply chat template to an empty conversation. Provide at least one message.');
      }
      if (messages!.some(hasMedia)) return badRequest(`${served.model} is not a multimodal model`);
      return logprobsError(logprobs);
    },
    { kind: 'chat', body },
  );
}

/** Reads the body of `/v1/completions`. */
export function readCompletionRequest(body: JsonObject, served: ServedModels): Parsed<GenerationRequest> {
  const fields = new FieldReader(body);
  const prompt = body['prompt'] ?? null;
  const common = readCommon(fields, fields.integer('max_tokens') ?? DEFAULT_COMPLETION_TOKENS);
  const logprobs = fields.integer('logprobs');
  const echo = fields.boolean('echo') ?? false;
  const isIds = Array.isArray(prompt) && prompt.every((id) => Number.isInteger(id) && id >= 0);
  const read: GenerationRequest['prompt'] = isIds
    ? { kind: 'tokens', ids: prompt as number[] }
    : { kind: 'text', text: typeof prompt === 'string' ? prompt : '' };
  return finish(
    fields,
    common,
    served,
    () => {
      if (prompt === null || prompt === '' || (Array.isArray(prompt) && prompt.length === 0)) {
        return badRequest('Either prompt or prompt_embeds must be provided and non-empty.', 'prompt');
      }
      if (typeof prompt !== 'string' && !isIds) {
        return badRequest('The simulator takes one prompt a request: a string or a list of token ids.', 'prompt');
      }
      if (echo) return badRequest('The simulator does not echo prompts.', 'echo');
      return logprobsError(logprobs);
    },
    read,
  );
}

interface CommonFields {
  readonly model: string | null;
  readonly maxTokens: number | null;
  readonly minTokens: number;
  readonly stream: boolean;
  readonly streamOptions: JsonObject | null;
  readonly ignoreEos: boolean;
  readonly stops: readonly string[];
  readonly cacheSalt: string | null;
  readonly seed: number;
  readonly returnTokenIds: boolean;
  readonly n: number;
  readonly temperature: number | null;
  readonly topP: number | null;
}

function readCommon(fields: FieldReader, maxTokens: number | null): CommonFields {
  return {
    model: fields.string('model'),
    maxTokens,
    minTokens: fields.integer('min_tokens') ?? 0,
    stream: fields.boolean('stream') ?? false,
    streamOptions: fields.object('stream_options'),
    ignoreEos: fields.boolean('ignore_eos') ?? false,
    stops: fields.strings('stop').filter((stop) => stop !== ''),
    cacheSalt: fields.string('cache_salt'),
    seed: fields.integer('seed') ?? 0,
    returnTokenIds: fields.boolean('return_token_ids') ?? false,
    n: fields.integer('n') ?? 1,
    temperature: fields.number('temperature'),
    topP: fields.number('top_p'),
  };
}

/** vLLM's order: the schema, the model, the prompt, and then the sampling parameters. */
function finish(
  fields: FieldReader,
  common: CommonFields,
  served: ServedModels,
  promptError: () => ApiError | null,
  prompt: GenerationRequest['prompt'],
): Parsed<GenerationRequest> {
  if (fields.errors.length > 0) return failed(schemaErrors(fields.errors));
  if (common.streamOptions !== null && !common.stream) {
    return failed(badRequest('Stream options can only be defined when `stream=True`.', 'stream_options'));
  }
  if (common.cacheSalt === '') {
    return failed(badRequest("Parameter 'cache_salt' must be a non-empty string if provided.", 'cache_salt'));
  }
  const model = resolveModel(common.model, served);
  if (model.kind === 'error') return model;
  const error = promptError() ?? samplingError(common);
  if (error !== null) return failed(error);
  const { name, lora } = model.value;
  return {
    kind: 'ok',
    value: {
      model: name,
      lora,
      prompt,
      stream: common.stream,
      includeUsage: common.streamOptions?.['include_usage'] === true,
      continuousUsage: common.streamOptions?.['continuous_usage_stats'] === true,
      maxTokens: common.maxTokens,
      minTokens: common.minTokens,
      ignoreEos: common.ignoreEos,
      stops: common.stops,
      cacheSalt: common.cacheSalt,
      seed: common.seed,
      returnTokenIds: common.returnTokenIds,
    },
  };
}

function samplingError({ n, temperature, topP, maxTokens, minTokens }: CommonFields): ApiError | null {
  if (n < 1) return badRequest(`n must be at least 1, got ${n}.`);
  if (n > MAX_N) {
    return badRequest(
      `n must be at most ${MAX_N}, got ${n}. To increase this limit, set the VLLM_MAX_N_SEQUENCES environment variable.`,
    );
  }
  if (temperature !== null && temperature < 0) {
    const text = pythonFloat(temperature);
    return badRequest(`temperature must be non-negative, got ${text}.`, 'temperature', text);
  }
  if (topP !== null && !(topP > 0 && topP <= 1)) {
    const text = pythonFloat(topP);
    return badRequest(`top_p must be in (0, 1], got ${text}.`, 'top_p', text);
  }
  if (maxTokens !== null && maxTokens < 1) {
    return badRequest(`max_tokens must be at least 1, got ${maxTokens}.`, 'max_tokens', String(maxTokens));
  }
  if (maxTokens !== null && minTokens > maxTokens) {
    return badRequest(`min_tokens must be less than or equal to max_tokens=${maxTokens}, got ${minTokens}.`);
  }
  if (n > 1 && temperature === 0) return badRequest(`n must be 1 when using greedy sampling, got ${n}.`);
  if (n > 1) return badRequest(`The simulator gives one answer a request: n must be 1, got ${n}.`, 'n');
  return null;
}

function logprobsError(logprobs: number | null): ApiError | null {
  if (logprobs === null) return null;
  if (logprobs > MAX_LOGPROBS) {
    return badRequest(
      `Requested sample logprobs of ${logprobs}, which is greater than max allowed: ${MAX_LOGPROBS}`,
      'logprobs',
      String(logprobs),
    );
  }
  return badRequest('The simulator has no logprobs.', 'logprobs');
}

/** Whether a message has a content part that is not text. */
function hasMedia(message: unknown): boolean {
  const { content } = message as { content?: unknown };
  const isMedia = (part: { type?: unknown } | null): boolean =>
    /^(image|input_audio|video|audio)/.test(String(part?.type));
  return Array.isArray(content) && content.some(isMedia);
}
