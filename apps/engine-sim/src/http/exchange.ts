import type { ServerResponse } from 'node:http';
import type { FinishReason, RequestProgress } from '@sluice/engine-model';
import type { Generation, GenerationListener } from '../engine/generation.ts';
import type { Rank } from '../engine/rank.ts';
import { ENGINE_DEAD } from '../openai/errors.ts';
import type { AnswerFormat, AnswerHeader, Ending, Usage } from '../openai/answer-format.ts';
import type { GenerationRequest } from '../openai/generation-request.ts';
import type { Answer } from '../text/writer.ts';
import type { OutputText } from '../text/output-text.ts';
import { openEventStream, sendError, sendEvent, sendJson } from './reply.ts';

export interface ExchangeOptions {
  readonly response: ServerResponse;
  readonly rank: Rank;
  readonly request: GenerationRequest;
  readonly format: AnswerFormat;
  readonly header: AnswerHeader;
  readonly promptTokens: Uint32Array;
  /** Output limit after clamping to the context. */
  readonly maxTokens: number;
  readonly answer: Answer;
  readonly text: OutputText;
  readonly eosId: number | null;
  readonly blockSize: number;
  readonly promptTokensDetails: boolean;
  readonly arrivedMs: number;
  /** Called when the engine has written the last token, before the client has it. */
  readonly onFinished: (exchange: Exchange) => void;
  /** Called once, when the request is over for whatever reason. */
  readonly onEnd: () => void;
}

/** One request from its validation to its last byte: the engine's tokens in, JSON or Server-Sent Events out. */
export class Exchange implements Generation, GenerationListener {
  readonly promptTokens: Uint32Array;
  readonly maxTokens: number;
  readonly stopToken: number | null;
  readonly loraName: string | null;
  readonly cacheSalt: string | null;
  readonly arrivedMs: number;
  progress: RequestProgress | null = null;
  firstTokenMs: number | null = null;
  lastTokenMs: number | null = null;
  outputTokens = 0;
  readonly listener = this;

  private readonly options: ExchangeOptions;
  /** Index of the token that ends the answer by itself; Infinity when the client's limit ends it. */
  private readonly endsAt: number;
  private readonly tokenIds: number[] = [];
  private text = '';
  private over = false;

  constructor(options: ExchangeOptions) {
    const { request } = options;
    this.options = options;
    this.promptTokens = options.promptTokens;
    this.maxTokens = options.maxTokens;
    this.loraName = request.lora;
    this.cacheSalt = request.cacheSalt;
    this.arrivedMs = options.arrivedMs;
    this.stopToken = request.ignoreEos ? null : options.eosId;
    // A client that names a limit gets that many tokens: benchmarks ask for exact lengths.
    const natural = request.maxTokens === null && this.stopToken !== null;
    this.endsAt = natural ? Math.max(options.answer.naturalTokens, request.minTokens + 1) - 1 : Infinity;
    options.response.on('close', () => this.hangUp());
  }

  nextToken(index: number): number {
    return index === this.endsAt ? this.stopToken! : this.options.answer.token(index);
  }

  accepted(): void {
    if (this.options.request.stream) openEventStream(this.options.response);
  }

  token(token: number, finished: FinishReason | null): void {
    const { options } = this;
    const { request, response, format, header } = options;
    const isEos = finished === 'stop';
    const { text, stop } = options.text.push(token, isEos, finished !== null);
    const ending: Ending | null =
      stop !== null
        ? { reason: 'stop', stopReason: stop }
        : finished === null
          ? null
          : { reason: finished, stopReason: null };
    this.tokenIds.push(token);
    if (stop !== null && finished === null) options.rank.finish(this);
    if (request.stream) {
      const usage = request.continuousUsage ? this.usage() : null;
      const promptTokenIds = request.returnTokenIds ? [...this.promptTokens] : null;
      const first = this.tokenIds.length === 1;
      if (first) {
        const none = usage === null ? null : { ...usage, completionTokens: 0 };
        for (const chunk of format.opening(header, promptTokenIds, none)) sendEvent(response, chunk);
      }
      const tokenIds = request.returnTokenIds ? [token] : null;
      const fingerprint = ending !== null && !request.includeUsage;
      const delta = { text, tokenIds, ending, usage, fingerprint };
      sendEvent(response, format.chunk(header, delta, first ? promptTokenIds : null));
    } else this.text += text;
    if (ending !== null) this.end(ending);
  }

  engineStopped(): void {
    const { response } = this.options;
    if (this.over) return;
    this.settle();
    if (!response.headersSent) {
      sendError(response, ENGINE_DEAD);
      return;
    }
    // Python's json.dumps puts spaces behind commas and colons here, as the captured engine did.
    const body = JSON.stringify(ENGINE_DEAD.body, null, 1)
      .replace(/\n\s*/g, ' ')
      .replace(/\{ /g, '{')
      .replace(/ \}/g, '}');
    sendEvent(response, body);
    sendEvent(response, '[DONE]');
    response.end();
  }

  private end(ending: Ending): void {
    const { request, response, format, header } = this.options;
    this.options.onFinished(this);
    this.settle();
    if (request.stream) {
      if (request.includeUsage) sendEvent(response, format.usageChunk(header, this.usage()));
      sendEvent(response, '[DONE]');
      response.end();
      return;
    }
    const ids = request.returnTokenIds;
    const whole = format.whole(header, {
      text: this.text,
      ending,
      usage: this.usage(),
      promptTokenIds: ids ? [...this.promptTokens] : null,
      tokenIds: ids ? this.tokenIds : null,
    });
    sendJson(response, 200, whole);
  }

  /** The client left before the answer was complete. */
  private hangUp(): void {
    if (this.over) return;
    this.settle();
    this.options.rank.abort(this);
  }

  private settle(): void {
    this.over = true;
    this.options.onEnd();
  }

  private usage(): Usage {
    const { blockSize, promptTokensDetails } = this.options;
    const promptTokens = this.promptTokens.length;
    const cachedTokens = this.progress?.cachedTokens ?? 0;
    const createdCacheTokens = Math.floor(promptTokens / blockSize) * blockSize - cachedTokens;
    return {
      promptTokens,
      completionTokens: this.tokenIds.length,
      details: promptTokensDetails ? { cachedTokens, createdCacheTokens } : null,
    };
  }
}
