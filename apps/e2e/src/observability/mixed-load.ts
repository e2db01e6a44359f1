import { post, syntheticText } from '@sluice/testkit';
import { MODEL } from '../setup.ts';

/** What the `i`-th request of a load is: its path, body and headers. */
type Shape = (i: number) => {
  readonly path: string;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
};

/** A streamed chat whose beginning it shares with every eighth other. */
export const chat = (i: number, maxTokens: number) => ({
  model: MODEL,
  stream: true,
  stream_options: { include_usage: true },
  max_tokens: maxTokens,
  messages: [
    { role: 'system', content: syntheticText(2000 + (i % 8), 500) },
    { role: 'user', content: `question ${i}: ${syntheticText(9000 + i, 40)}` },
  ],
});

/** A bit of everything that has a metric: streams and not, two routes, tenants, wishes, and requests that are refused. */
export const mixed: Shape = (i) => {
  if (i % 10 === 7) {
    const prompt = syntheticText(5000 + (i % 3), 200);
    return { path: '/v1/completions', body: { model: MODEL, prompt, max_tokens: 20 } };
  }
  if (i % 20 === 13) return { path: '/v1/chat/completions', body: { ...chat(i, 1), model: 'nobody' } };
  const headers = {
    'x-sluice-tenant': i % 3 === 0 ? 'acme' : 'trial',
    'x-sluice-slo-ttft-ms': '20000',
    'x-sluice-slo-tpot-ms': '1000',
  };
  return { path: '/v1/chat/completions', body: chat(i, 60), headers };
};

/** Requests at a steady rate, to the routers in turn, until it is stopped. */
export class MixedLoad {
  sent = 0;
  readonly #pending = new Set<Promise<unknown>>();
  readonly #timer: NodeJS.Timeout;
  readonly #abort = new AbortController();

  constructor(dataUrls: readonly string[], perSecond: number, shape: Shape = mixed) {
    this.#timer = setInterval(() => {
      const i = this.sent++;
      const { path, body, headers } = shape(i);
      const options = { signal: this.#abort.signal, ...(headers !== undefined && { headers: { ...headers } }) };
      const request = post(`${dataUrls[i % dataUrls.length]}${path}`, body, options);
      this.#pending.add(request);
      void request.finally(() => this.#pending.delete(request));
    }, 1000 / perSecond);
  }

  /** Sends nothing more and hangs up on what is not answered after `graceMs`. */
  async stop(graceMs = 5000): Promise<void> {
    clearInterval(this.#timer);
    const timer = setTimeout(() => this.#abort.abort(), graceMs);
    await Promise.all(this.#pending);
    clearTimeout(timer);
  }
}
