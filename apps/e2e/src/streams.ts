/** Tokens of an answer: some eleven seconds of the slow engines. */
const OUTPUT_TOKENS = 300;

/** Long chat streams through one router, and which worker each is on. */
export class Streams {
  completed = 0;
  /** Refused, broken, or ended before their end; those of {@link abort} do not count. */
  failed = 0;
  readonly #url: string;
  readonly #model: string;
  readonly #abort = new AbortController();
  readonly #open = new Map<number, string>();
  readonly #running = new Set<Promise<void>>();
  #sent = 0;

  constructor(dataUrl: string, model: string) {
    this.#url = `${dataUrl}/v1/chat/completions`;
    this.#model = model;
  }

  /** Sends `count` requests at once; resolves when each has a worker or has failed. */
  async start(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#send(this.#sent++)));
  }

  /** How many streams are open on each of `workers`. */
  openByWorker(workers: readonly string[]): number[] {
    const open = [...this.#open.values()];
    return workers.map((worker) => open.filter((each) => each === worker).length);
  }

  /** Resolves when every stream has ended. */
  async finished(): Promise<void> {
    await Promise.all(this.#running);
  }

  abort(): void {
    this.#abort.abort();
  }

  async #send(id: number): Promise<void> {
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        signal: this.#abort.signal,
        body: JSON.stringify({
          model: this.#model,
          stream: true,
          max_tokens: OUTPUT_TOKENS,
          ignore_eos: true,
          messages: [{ role: 'user', content: `long answer ${id}` }],
        }),
      });
      const worker = response.headers.get('x-sluice-worker');
      if (!response.ok || worker === null) throw new Error(`status ${response.status}`);
      this.#open.set(id, worker);
      const reading = this.#read(response, id);
      this.#running.add(reading);
    } catch {
      this.#ended(id, false);
    }
  }

  async #read(response: Response, id: number): Promise<void> {
    try {
      this.#ended(id, (await response.text()).trimEnd().endsWith('data: [DONE]'));
    } catch {
      this.#ended(id, false);
    }
  }

  #ended(id: number, isComplete: boolean): void {
    this.#open.delete(id);
    if (isComplete) this.completed++;
    else if (!this.#abort.signal.aborted) this.failed++;
  }
}
