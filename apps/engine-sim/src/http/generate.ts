import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { contextOf } from '@sluice/telemetry';
import { recordRequestSpan } from '../engine/request-span.ts';
import { CHAT_FORMAT, COMPLETION_FORMAT } from '../openai/answer-format.ts';
import { parseBody } from '../openai/body.ts';
import type { Parsed } from '../openai/body.ts';
import { badRequest } from '../openai/errors.ts';
import { readChatRequest, readCompletionRequest } from '../openai/generation-request.ts';
import type { GenerationRequest } from '../openai/generation-request.ts';
import type { Simulator } from '../simulator.ts';
import { OutputText } from '../text/output-text.ts';
import { Exchange } from './exchange.ts';
import { sendError } from './reply.ts';

/** Serves `/v1/chat/completions` and `/v1/completions`. `body` is the whole request body, `arrivedMs` when it was there. */
export function generate(
  simulator: Simulator,
  endpoint: 'chat' | 'completion',
  incoming: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  arrivedMs: number,
): void {
  const parsed = parseBody(incoming.headers['content-type'], body.toString());
  if (parsed.kind === 'error') return sendError(response, parsed.error);
  const read = endpoint === 'chat' ? readChatRequest : readCompletionRequest;
  const request = read(parsed.value, simulator);
  if (request.kind === 'error') return sendError(response, request.error);
  const prompt = promptTokens(simulator, request.value, body);
  if (prompt.kind === 'error') return sendError(response, prompt.error);
  const rank = chooseRank(simulator, incoming.headers['x-data-parallel-rank']);
  if (rank.kind === 'error') return sendError(response, rank.error);

  const room = simulator.config.maxModelLen - prompt.value.length;
  if (room < 1) {
    const message = `max_tokens must be at least 1, got ${room}.`;
    return sendError(response, badRequest(message, 'max_tokens', String(room)));
  }
  // Without prefix caching nothing is shared: as if each request had a salt of its own.
  const salt = simulator.config.prefixCaching ? {} : { cacheSalt: randomBytes(8).toString('hex') };
  const value = { ...request.value, ...salt };
  const requestId = incoming.headers['x-request-id'];
  const unique = typeof requestId === 'string' ? requestId : randomBytes(8).toString('hex');
  const id = `${endpoint === 'chat' ? 'chatcmpl' : 'cmpl'}-${unique}`;
  const parent = contextOf(incoming.headers['traceparent'], incoming.headers['tracestate']);
  const { speed } = simulator.config;
  simulator.requestsOpen++;
  const exchange = new Exchange({
    response,
    rank: rank.value,
    request: value,
    format: endpoint === 'chat' ? CHAT_FORMAT : COMPLETION_FORMAT,
    header: { id, createdS: Math.floor(Date.now() / 1000), model: value.model, fingerprint: simulator.fingerprint },
    promptTokens: prompt.value,
    maxTokens: Math.min(value.maxTokens ?? Infinity, room),
    answer: simulator.writer.answer(prompt.value, simulator.config.seed + value.seed),
    text: new OutputText(simulator.kit.vocabulary, value.stops, value.minTokens),
    eosId: simulator.tokenizer.eosId,
    blockSize: simulator.config.blockSize,
    promptTokensDetails: simulator.config.promptTokensDetails,
    arrivedMs,
    onFinished: (generation) =>
      recordRequestSpan(simulator.tracing, parent, {
        id,
        generation,
        maxTokens: value.maxTokens,
        speed,
        endedMs: performance.now(),
      }),
    onEnd: () => simulator.requestsOpen--,
  });
  rank.value.submit(exchange);
}

function promptTokens(simulator: Simulator, { prompt }: GenerationRequest, source: Buffer): Parsed<Uint32Array> {
  const { maxModelLen } = simulator.config;
  let ids: Uint32Array;
  if (prompt.kind === 'tokens') {
    const size = simulator.kit.vocabulary.size;
    const unknown = prompt.ids.find((id) => id >= size);
    if (unknown !== undefined) return { kind: 'error', error: badRequest(`Token id ${unknown} is out of vocabulary`) };
    ids = Uint32Array.from(prompt.ids);
  } else if (prompt.kind === 'text') ids = simulator.tokenizer.encode(prompt.text, true);
  else {
    const rendered = simulator.renderChat(prompt.body, source);
    if (rendered.kind === 'error') return rendered;
    ids = simulator.tokenizer.encode(rendered.value, false);
  }
  if (ids.length <= maxModelLen) return { kind: 'ok', value: ids };
  // vLLM stops tokenizing a text at the first token too many.
  const exact = prompt.kind === 'tokens';
  const [count, value] = exact ? [ids.length, ids.length] : [`at least ${maxModelLen + 1}`, maxModelLen + 1];
  const error = badRequest(
    `This model's maximum context length is ${maxModelLen} tokens. However, your prompt contains ${count} input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input prompt.`,
    'input_tokens',
    String(value),
  );
  return { kind: 'error', error };
}

/** The rank that the client named, or the least loaded; equal ones take turns. */
function chooseRank(simulator: Simulator, header: string | string[] | undefined): Parsed<Simulator['ranks'][number]> {
  const { ranks } = simulator;
  if (typeof header === 'string' && /^-?\d+$/.test(header)) {
    const rank = ranks[Number(header)];
    if (rank !== undefined) return { kind: 'ok', value: rank };
    return {
      kind: 'error',
      error: badRequest(`data_parallel_rank ${Number(header)} is out of range [0, ${ranks.length}).`),
    };
  }
  let best = ranks[simulator.nextRank % ranks.length]!;
  for (let i = 1; i < ranks.length; i++) {
    const rank = ranks[(simulator.nextRank + i) % ranks.length]!;
    if (rank.load < best.load) best = rank;
  }
  simulator.nextRank = (ranks.indexOf(best) + 1) % ranks.length;
  return { kind: 'ok', value: best };
}
