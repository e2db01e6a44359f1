import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import { AnswerTap, isWhole, leadingError } from './answer-tap.ts';
import type { TokenListener } from './answer-tap.ts';
import { headerText, responseHeaders } from './headers.ts';
import { SseFramer } from './sse-framer.ts';
import { StallWatch } from './stall-watch.ts';
import { causeOf } from './page-read.ts';
import type { Waiting } from './connection-line.ts';
import type { EngineConnections, UpstreamPool } from './upstream-pool.ts';

export interface ForwardRequest {
  readonly origin: string;
  readonly path: string;
  /** Flat list name, value, ... */
  readonly headers: string[];
  /** Sent as it is. */
  readonly body: Buffer;
}

export interface ForwardOptions {
  /** Added to the response head: flat list name, value, ... */
  readonly responseHeaders: readonly string[];
  readonly listener: TokenListener | null;
  /**
   * Keep an engine's 5xx (a status, or an error as the first event of a stream) from the client and report it as
   * `server-error`, because another worker can be tried. False: it passes through.
   */
  readonly holdServerErrors: boolean;
  /** A client that accepts no byte for so long is given up. */
  readonly clientStallMs: number;
  /** Also find out why the engine stopped, see {@link AnswerTap.finishReasons}. Default false. */
  readonly watchFinish?: boolean;
}

/** How an attempt ended. Nothing reached the client unless `firstByteSent` says so or the kind implies it. */
export type ForwardOutcome =
  /** The whole answer, whatever its status, was handed to the client. */
  | { readonly kind: 'completed'; readonly status: number }
  | { readonly kind: 'client-abort'; readonly cause: string; readonly firstByteSent: boolean }
  | { readonly kind: 'connect-failed'; readonly cause: string }
  | { readonly kind: 'upstream-closed-before-first-byte'; readonly cause: string }
  | { readonly kind: 'server-error'; readonly status: number; readonly cause: string }
  | { readonly kind: 'timeout'; readonly phase: 'head' | 'silence'; readonly firstByteSent: boolean }
  /** The client has part of the answer; a stream was ended with an error event, anything else was cut. */
  | { readonly kind: 'upstream-died-mid-stream'; readonly cause: string };

/** Whether the same request may be sent to another worker: nothing reached the client, and trying again can help. */
export const isRetryable = (outcome: ForwardOutcome): boolean =>
  outcome.kind === 'connect-failed' ||
  outcome.kind === 'upstream-closed-before-first-byte' ||
  outcome.kind === 'server-error';

/** One request on its way through an engine. */
export interface Forwarding {
  /** Settles once, never rejects. The client's response is ended (or destroyed) unless nothing was sent. */
  readonly done: Promise<ForwardOutcome>;
  readonly tap: AnswerTap;
  /** Milliseconds (performance.now) of the last sign of life: dispatch, head or data. */
  readonly lastSignAtMs: number;
  /** Gives the engine up, as if it had closed the connection. */
  giveUp(cause: string): void;
}

/** Sends `request` to an engine and its answer to `client`, with back-pressure and aborts in both directions. */
export function forward(
  pool: UpstreamPool,
  request: ForwardRequest,
  client: ServerResponse,
  options: ForwardOptions,
): Forwarding {
  const engine = pool.of(request.origin);
  const exchange = new Exchange(engine, request, client, options);
  if (client.destroyed) exchange.clientGone('closed before dispatch');
  else engine.line.enter(exchange);
  return exchange;
}

/** A reason phrase that may be written (RFC 9112, 4): undici hands on whatever an engine sends. */
const REASON = /^[\t\x20-\x7e\x80-\xff]*$/;

/** One attempt: undici's handler and the client's listeners in one object, so that a request costs few allocations. */
class Exchange implements Dispatcher.DispatchHandler, Forwarding, Waiting {
  readonly done: Promise<ForwardOutcome>;
  readonly tap: AnswerTap;
  lastSignAtMs = performance.now();

  readonly #engine: EngineConnections;
  readonly #request: ForwardRequest;
  readonly #client: ServerResponse;
  readonly #options: ForwardOptions;
  #resolve!: (outcome: ForwardOutcome) => void;
  #settled = false;
  #holdsConnection = false;
  #controller: Dispatcher.DispatchController | null = null;
  #framer: SseFramer | null = null;
  #json = false;
  #status = 0;
  /** Held until the first byte of the body, so that a retry stays possible as long as nothing was promised. */
  #head: string[] | null = null;
  #statusMessage = '';
  #firstByteSent = false;
  /** Made when the client's buffer is first full. */
  #stall: StallWatch | null = null;

  readonly #onClose = (): void => this.clientGone('client closed the connection');
  readonly #onDrain = (): void => {
    this.#stall?.stop();
    if (!this.#settled) this.#controller?.resume();
  };

  constructor(engine: EngineConnections, request: ForwardRequest, client: ServerResponse, options: ForwardOptions) {
    this.#engine = engine;
    this.#request = request;
    this.#client = client;
    this.#options = options;
    this.tap = new AnswerTap(options.listener, options.watchFinish);
    this.done = new Promise((resolve) => (this.#resolve = resolve));
    client.on('close', this.#onClose);
  }

  clientGone(cause: string): void {
    if (this.#settled) return;
    this.#settle({ kind: 'client-abort', cause, firstByteSent: this.#firstByteSent });
    this.#controller?.abort(new Error(cause));
  }

  giveUp(cause: string): void {
    if (this.#settled) return;
    this.#upstreamFailed(cause);
    this.#controller?.abort(new Error(cause));
  }

  start(): void {
    this.#holdsConnection = true;
    const { path, headers, body } = this.#request;
    this.#engine.http.dispatch({ method: 'POST', path, headers, body }, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) controller.abort(new Error('given up while waiting for a connection'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
    statusMessage?: string,
  ): void {
    if (status < 200 || this.#settled) return; // 1xx heads precede the real one
    this.lastSignAtMs = performance.now();
    if (status >= 500 && this.#options.holdServerErrors) {
      this.#settle({ kind: 'server-error', status, cause: `engine answered ${status}` });
      return; // the rest of its body is read and dropped, so that the connection stays usable
    }
    this.#status = status;
    this.#statusMessage = statusMessage !== undefined && REASON.test(statusMessage) ? statusMessage : '';
    const type = headers['content-encoding'] === undefined ? headerText(headers['content-type']).toLowerCase() : '';
    if (type.startsWith('text/event-stream')) this.#framer = new SseFramer();
    else this.#json = type.startsWith('application/json');
    // An error event may have to end a stream: its length is not known before it has ended.
    const without = this.#framer === null ? null : 'content-length';
    this.#head = responseHeaders(headers, this.#options.responseHeaders, without);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled || chunk.length === 0) return; // undici's parser hands on nothing after a pause
    const nowMs = performance.now();
    this.lastSignAtMs = nowMs;
    let bytes: Buffer | null = chunk;
    if (this.#framer !== null) {
      bytes = this.#framer.push(chunk);
      if (bytes === null || this.#heldAsError(controller, bytes)) return;
      this.tap.events(bytes, nowMs);
    } else if (this.#json) this.tap.json(chunk);
    if (!this.#send(bytes)) this.#pause(controller);
  }

  onResponseEnd(): void {
    this.#releaseConnection();
    if (this.#settled) return;
    const rest = this.#framer?.held ?? null;
    if (rest !== null) {
      if (!this.tap.done && !isWhole(rest)) {
        this.#upstreamFailed('stream ended within an event');
        return;
      }
      this.tap.events(rest, performance.now()); // only the last blank line is missing
      this.#send(rest);
    }
    if (this.#head !== null) this.#writeHead();
    this.#client.end();
    if (this.#client.writableLength > 0) destroyUnread(this.#client, this.#options.clientStallMs);
    this.#settle({ kind: 'completed', status: this.#status });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#releaseConnection();
    if (this.#settled) return;
    const cause = causeOf(error);
    if (cause === 'UND_ERR_HEADERS_TIMEOUT' || cause === 'UND_ERR_BODY_TIMEOUT') {
      const phase = cause === 'UND_ERR_HEADERS_TIMEOUT' ? 'head' : 'silence';
      if (this.#firstByteSent) this.#endWithError(`The engine was silent for too long (${phase})`, 504);
      this.#settle({ kind: 'timeout', phase, firstByteSent: this.#firstByteSent });
    } else this.#upstreamFailed(cause);
  }

  /** undici tells of an end that was handled badly twice. */
  #releaseConnection(): void {
    if (!this.#holdsConnection) return;
    this.#holdsConnection = false;
    this.#engine.line.leave();
  }

  #upstreamFailed(cause: string): void {
    if (this.#firstByteSent) {
      this.#endWithError(`The engine ended the stream early (${cause})`, 502);
      this.#settle({ kind: 'upstream-died-mid-stream', cause });
    } else if (this.#controller === null) this.#settle({ kind: 'connect-failed', cause });
    else this.#settle({ kind: 'upstream-closed-before-first-byte', cause });
  }

  /** An engine that fails before its first token says so in the first event of a 200: still time to try another. */
  #heldAsError(controller: Dispatcher.DispatchController, events: Buffer): boolean {
    if (this.#firstByteSent || !this.#options.holdServerErrors) return false;
    const error = leadingError(events);
    if (error === null || error.code < 500) return false;
    this.#settle({ kind: 'server-error', status: error.code, cause: error.message });
    controller.abort(new Error('answer dropped'));
    return true;
  }

  /** False when the client's buffer is full. */
  #send(bytes: Buffer): boolean {
    if (this.#head !== null) this.#writeHead();
    this.#firstByteSent = true;
    return this.#client.write(bytes);
  }

  #writeHead(): void {
    this.#client.writeHead(this.#status, this.#statusMessage, this.#head!);
    this.#head = null;
  }

  #pause(controller: Dispatcher.DispatchController): void {
    controller.pause();
    if (this.#stall === null) {
      this.#client.on('drain', this.#onDrain);
      this.#stall = new StallWatch(this.#client, this.#options.clientStallMs, () => {
        this.clientGone('client accepted no byte for too long');
        this.#client.destroy();
      });
    }
    this.#stall.start();
  }

  /** The client has part of the answer: a stream gets a last, well-formed error event, anything else is cut. */
  #endWithError(message: string, code: number): void {
    if (this.#framer === null || this.#framer.isCut) {
      this.#client.destroy();
      return;
    }
    this.#client.end(`data: ${JSON.stringify({ error: { message, type: 'upstream_error', param: null, code } })}\n\n`);
  }

  #settle(outcome: ForwardOutcome): void {
    this.#settled = true;
    this.#engine.line.quit(this);
    this.#stall?.stop();
    this.#client.off('close', this.#onClose);
    if (this.#stall !== null) this.#client.off('drain', this.#onDrain);
    this.#resolve(outcome);
  }
}

/** Closes the connection of a client that takes nothing of the rest of its answer for `limitMs`; nothing else would. */
function destroyUnread(client: ServerResponse, limitMs: number): void {
  const stall = new StallWatch(client, limitMs, () => client.destroy());
  const stop = (): void => stall.stop();
  client.once('finish', stop).once('close', stop);
  stall.start();
}
