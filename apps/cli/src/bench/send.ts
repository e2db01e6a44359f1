import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { reasonOf } from '../reason.ts';
import { AnswerReader } from './answer-reader.ts';
import type { Usage } from './answer-reader.ts';

/** What a client saw of one request; times in milliseconds from the start of the run. */
export interface Seen {
  readonly sentMs: number;
  /** First token, and last piece; null when none came. */
  readonly firstMs: number | null;
  readonly lastMs: number | null;
  readonly endMs: number;
  /** Why it failed, in few words that are the same for the same reason; null when it did not. */
  readonly failure: string | null;
  readonly usage: Usage | null;
  /** `x-sluice-worker`. */
  readonly worker: string | null;
}

/** Sends chats to one server over connections that are kept. */
export class Client {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: HttpAgent;
  readonly #timeoutMs: number;
  readonly #nowMs: () => number;

  /** @param nowMs milliseconds from the start of the run */
  constructor(origin: string, apiKey: string | null, timeoutMs: number, nowMs: () => number) {
    this.#url = new URL('/v1/chat/completions', origin);
    this.#headers = {
      'content-type': 'application/json',
      ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
    };
    const Agent = this.#url.protocol === 'https:' ? HttpsAgent : HttpAgent;
    this.#agent = new Agent({ keepAlive: true, maxSockets: Infinity });
    this.#timeoutMs = timeoutMs;
    this.#nowMs = nowMs;
  }

  /** POSTs `body` and reads the stream to its end. Never rejects. */
  send(body: Buffer): Promise<Seen> {
    const sentMs = this.#nowMs();
    const reader = new AnswerReader();
    let worker: string | null = null;
    return new Promise((resolve) => {
      const settle = (failure: string | null, usage: Usage | null = null): void =>
        resolve({
          ...{ sentMs, firstMs: reader.firstMs, lastMs: reader.lastMs, endMs: this.#nowMs() },
          ...{ failure, usage, worker },
        });
      const request = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
      const outgoing = request(
        this.#url,
        {
          method: 'POST',
          agent: this.#agent,
          headers: { ...this.#headers, 'content-length': body.length },
          signal: AbortSignal.timeout(this.#timeoutMs),
        },
        (answer) => {
          const named = answer.headers['x-sluice-worker'];
          worker = typeof named === 'string' ? named : null;
          this.#read(answer, reader).then(({ failure, usage }) => settle(failure, usage), broken);
        },
      );
      const broken = (error: unknown): void => settle(reasonOf(error, this.#timeoutMs));
      outgoing.on('error', broken);
      outgoing.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  async #read(answer: IncomingMessage, reader: AnswerReader): Promise<{ failure: string | null; usage: Usage | null }> {
    let refusal = '';
    for await (const text of answer.setEncoding('utf8')) {
      if (answer.statusCode === 200) reader.push(text as string, this.#nowMs());
      else if (refusal.length < 10_000) refusal += text as string;
    }
    if (answer.statusCode !== 200)
      return { failure: `${answer.statusCode}${whyRefused(answer, refusal)}`, usage: null };
    const { usage, problem } = reader.end();
    return { failure: problem, usage };
  }
}

/** `: why`: of a request that Sluice shed its reason, else the code of an OpenAI error; messages differ from request to request. */
function whyRefused({ headers }: IncomingMessage, body: string): string {
  const shed = headers['x-sluice-shed-reason'];
  return typeof shed === 'string' ? `: shed, ${shed}` : codeIn(body);
}

function codeIn(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: { code?: unknown; type?: unknown } };
    const said = typeof error?.code === 'string' ? error.code : error?.type;
    return typeof said === 'string' ? `: ${said}` : '';
  } catch {
    return '';
  }
}
