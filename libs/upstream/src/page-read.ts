import type { Dispatcher } from 'undici';

export type GetOutcome =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string }
  /** Nobody listens there: the connection was refused or cut. */
  | { readonly kind: 'refused'; readonly cause: string }
  | { readonly kind: 'timeout' };

/** One GET: undici's handler with a time limit of its own, which costs less than an abort signal and a body stream. */
export class PageRead implements Dispatcher.DispatchHandler {
  readonly #resolve: (outcome: GetOutcome) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | null = null;
  #status = 0;
  #settled = false;

  /** @param resolve called once, within `timeoutMs` */
  constructor(timeoutMs: number, resolve: (outcome: GetOutcome) => void) {
    this.#resolve = resolve;
    this.#timer = setTimeout(() => {
      this.#settle({ kind: 'timeout' });
      this.#controller?.abort(new Error('no answer in time'));
    }, timeoutMs);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) controller.abort(new Error('given up while waiting for a connection'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const [first] = this.#chunks;
    const body = this.#chunks.length === 1 ? first! : Buffer.concat(this.#chunks);
    this.#settle({ kind: 'answered', status: this.#status, body: body.toString('utf8') });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const cause = causeOf(error);
    this.#settle(cause.includes('TIMEOUT') ? { kind: 'timeout' } : { kind: 'refused', cause });
  }

  #settle(outcome: GetOutcome): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#resolve(outcome);
  }
}

/** Short name of what went wrong: an error's code (`ECONNREFUSED`), else its message. */
export function causeOf(error: unknown): string {
  const { code, message } = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  if (typeof code === 'string') return code;
  return typeof message === 'string' ? message : String(error);
}
