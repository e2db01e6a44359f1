import { Agent, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { LiveRouterLost } from '@sluice/contracts';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5000;
/** A router tells something every second. */
const SILENT_MS = 6000;
/** More than a snapshot of any fleet. */
const LONGEST_EVENT = 1 << 26;

export interface LiveMergeTimes {
  readonly firstPauseMs: number;
  readonly silentMs: number;
}

/**
 * The live streams of several routers as one, because a browser has few connections to a host: what a router tells is
 * passed on unread with its name, and so is that it cannot be had; it is then asked again and begins with a snapshot. A
 * reader has a stream of its own from every router, by its own token.
 */
export class LiveMerge {
  readonly #routers: ReadonlyMap<string, string>;
  readonly #times: LiveMergeTimes;
  readonly #agent = new Agent();

  /** @param routers where each router's admin API is, by its name */
  constructor(
    routers: ReadonlyMap<string, string>,
    times: LiveMergeTimes = { firstPauseMs: FIRST_PAUSE_MS, silentMs: SILENT_MS },
  ) {
    this.#routers = routers;
    this.#times = times;
  }

  /** Answers with the stream until the reader leaves. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.flushHeaders();
    const { authorization } = request.headers;
    const headers = { accept: 'text/event-stream', ...(authorization !== undefined && { authorization }) };
    const streams = [...this.#routers].map(
      ([name, base]) => new RouterStream(name, `${base}/live`, headers, this.#agent, response, this.#times),
    );
    for (const stream of streams) stream.open();
    response.on('close', () => streams.forEach((stream) => stream.close()));
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** One router's stream to one reader, begun again whenever it ends. */
class RouterStream {
  readonly #name: string;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: Agent;
  readonly #reader: ServerResponse;
  readonly #times: LiveMergeTimes;
  #request: ClientRequest | null = null;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs: number;
  #closed = false;

  constructor(
    name: string,
    url: string,
    headers: Readonly<Record<string, string>>,
    agent: Agent,
    reader: ServerResponse,
    times: LiveMergeTimes,
  ) {
    this.#name = name;
    this.#url = url;
    this.#headers = headers;
    this.#agent = agent;
    this.#reader = reader;
    this.#times = times;
    this.#pauseMs = times.firstPauseMs;
  }

  open(): void {
    if (this.#closed) return;
    const request = httpRequest(this.#url, { headers: this.#headers, agent: this.#agent }, (answer) => {
      if (answer.statusCode === 200) this.#read(request, answer);
      else this.#lost(request, `answers ${answer.statusCode}`, answer.statusCode ?? null);
    });
    this.#request = request;
    request.on('error', (error) => this.#lost(request, error.message, null));
    request.setTimeout(this.#times.silentMs, () => {
      if (!this.#reader.writableNeedDrain) request.destroy(new Error('silent'));
    });
    request.end();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#request?.destroy();
  }

  #read(request: ClientRequest, answer: IncomingMessage): void {
    let rest = '';
    answer.setEncoding('utf8');
    answer.on('data', (piece: string) => {
      const blocks = (rest + piece).split('\n\n');
      rest = blocks.pop()!;
      if (rest.length > LONGEST_EVENT) answer.destroy(new Error('what it sends is no live stream'));
      for (const block of blocks) this.#passOn(block);
      // The router tells a reader that does not keep up less, so it has to notice.
      if (this.#reader.writableNeedDrain && !answer.isPaused()) {
        answer.pause();
        this.#reader.once('drain', () => answer.resume());
      }
    });
    answer.on('error', (error) => this.#lost(request, error.message, null));
    answer.on('end', () => this.#lost(request, 'ended', null));
  }

  #passOn(block: string): void {
    const at = block.indexOf('data: ');
    if (at < 0) return;
    this.#pauseMs = this.#times.firstPauseMs;
    this.#tell(`{"router":${JSON.stringify(this.#name)},"message":${block.slice(at + 'data: '.length)}}`);
  }

  /** Says why once: what follows is the end of the same connection. */
  #lost(request: ClientRequest, lost: string, status: number | null): void {
    if (this.#closed || this.#request !== request) return;
    this.#request = null;
    request.destroy();
    const event: LiveRouterLost = { router: this.#name, lost, status };
    this.#tell(JSON.stringify(event));
    this.#timer = setTimeout(() => {
      // A reader that does not read gets no further snapshot on top of what it has not read.
      if (this.#reader.writableNeedDrain) this.#reader.once('drain', () => this.open());
      else this.open();
    }, this.#pauseMs);
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
  }

  #tell(data: string): void {
    this.#reader.write(`data: ${data}\n\n`);
  }
}
