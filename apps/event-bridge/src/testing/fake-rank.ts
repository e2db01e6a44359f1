import { createKvEventPublisher, encodeKvBatch } from '@sluice/engine-wire';
import type { EngineKvEvent, KvEventPublisher, KvEventPublisherOptions } from '@sluice/engine-wire';
import { NaiveRankTable, numberVocabulary } from './naive-rank-table.ts';

/** One rank of an engine that publishes over real sockets, with the naive table of what it holds. */
export class FakeRank {
  readonly #options: Omit<KvEventPublisherOptions, 'endpoint' | 'replayEndpoint'>;
  readonly #pool: string;
  #publisher: KvEventPublisher;
  #timeMs = 1_795_000_000_000;
  truth: NaiveRankTable;

  private constructor(pool: string, publisher: KvEventPublisher, options: Omit<KvEventPublisherOptions, 'endpoint'>) {
    this.#pool = pool;
    this.#publisher = publisher;
    this.#options = options;
    this.truth = new NaiveRankTable(pool, numberVocabulary);
  }

  static async start(pool: string, options: Partial<KvEventPublisherOptions> = {}): Promise<FakeRank> {
    const replayEndpoint = options.replayEndpoint === undefined ? 'tcp://127.0.0.1:*' : options.replayEndpoint;
    const all = { endpoint: 'tcp://127.0.0.1:*', topic: 'kv-events', ...options, replayEndpoint };
    return new FakeRank(pool, await createKvEventPublisher(all), all);
  }

  get endpoint(): string {
    return this.#publisher.endpoint;
  }

  get replayEndpoint(): string | null {
    return this.#publisher.replayEndpoint;
  }

  /** Publishes one batch, as a scheduler step does. */
  step(...events: EngineKvEvent[]): void {
    for (const event of events) this.truth.apply(event);
    this.publish(...events);
  }

  /** Publishes a batch that the truth is not told of. */
  publish(...events: EngineKvEvent[]): void {
    // the encoder fills in what the engine derives from the rest
    const input = events.map((event) => {
      if (event.kind === 'stored') {
        const { extraKeys: _extraKeys, medium: _medium, ...rest } = event;
        return rest;
      }
      if (event.kind === 'removed') {
        const { medium: _medium, ...rest } = event;
        return rest;
      }
      return event;
    });
    this.#timeMs += 10;
    this.#publisher.publish(encodeKvBatch({ timeMs: this.#timeMs, events: input, dpRank: null }, 'map'));
  }

  publishBytes(payload: Uint8Array): void {
    this.#publisher.publish(payload);
  }

  close(): Promise<void> {
    return this.#publisher.close();
  }

  /** A new process at the same addresses: nothing cached, sequence numbers from 0, time goes on. */
  async restart(): Promise<void> {
    const { endpoint, replayEndpoint } = this.#publisher;
    await this.close();
    this.#timeMs += 5_000;
    this.truth = new NaiveRankTable(this.#pool, numberVocabulary);
    for (let attempt = 0; ; attempt++) {
      try {
        this.#publisher = await createKvEventPublisher({ bind: true, ...this.#options, endpoint, replayEndpoint });
        return;
      } catch (error) {
        // the old socket's port is freed in the background
        if (attempt === 50) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
}
