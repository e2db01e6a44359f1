import { Publisher, Router } from 'zeromq';

/** Options of an engine's event publisher, with vLLM's meanings and defaults. */
export interface KvEventPublisherOptions {
  /** PUB address. Binds when it has `*` or `::` in it or is `ipc:` or `inproc:`, else connects (vLLM's rule). */
  readonly endpoint: string;
  /** Whether to bind, where vLLM's rule is not wanted. */
  readonly bind?: boolean;
  /** ROUTER address to bind for replay, or null for none. */
  readonly replayEndpoint: string | null;
  readonly topic?: string;
  /** Batches kept for replay. */
  readonly bufferSteps?: number;
  /** Messages queued per slow subscriber before they are dropped. */
  readonly highWaterMark?: number;
  /** `topic`: `["", topic, seq, payload]` (vLLM since 0.26); `plain`: without the topic (older vLLM, SGLang). */
  readonly replayLayout?: 'topic' | 'plain';
  /** Told of a message that could not be handed to the socket; publishing goes on. */
  readonly onError?: (error: unknown) => void;
}

export interface KvEventPublisher {
  /** Addresses in use: a wildcard port is resolved once bound. */
  readonly endpoint: string;
  readonly replayEndpoint: string | null;
  /** Sends one encoded batch and keeps it for replay; returns its sequence number (0 first). Never blocks. */
  publish(payload: Uint8Array): bigint;
  close(): Promise<void>;
}

const END_MARKER = sequenceFrame(-1n);
const EMPTY = new Uint8Array(0);

function sequenceFrame(seq: bigint): Uint8Array {
  const frame = new Uint8Array(8);
  new DataView(frame.buffer).setBigInt64(0, seq);
  return frame;
}

/** vLLM's rule for who binds the PUB socket. */
export const publisherBinds = (endpoint: string): boolean =>
  endpoint.includes('*') || endpoint.includes('::') || endpoint.startsWith('ipc:') || endpoint.startsWith('inproc:');

/**
 * Publishes KV event batches as an engine does: PUB frames `[topic, seq u64 BE, payload]` and a replay ROUTER.
 * @throws when an address cannot be bound.
 */
export async function createKvEventPublisher(options: KvEventPublisherOptions): Promise<KvEventPublisher> {
  const { topic = '', bufferSteps = 10_000, highWaterMark = 100_000, onError = () => {} } = options;
  const pub = new Publisher({ sendHighWaterMark: highWaterMark, linger: 0 });
  const replay = options.replayEndpoint === null ? null : new Router({ sendHighWaterMark: 0, linger: 0 });
  const buffer = new ReplayBuffer(bufferSteps);
  try {
    if (options.bind ?? publisherBinds(options.endpoint)) await pub.bind(options.endpoint);
    else pub.connect(options.endpoint);
    if (replay !== null && options.replayEndpoint !== null) await replay.bind(options.replayEndpoint);
  } catch (error) {
    pub.close();
    replay?.close();
    throw error;
  }
  const topicFrame = options.replayLayout === 'plain' ? [] : [topic];
  const endTopicFrame = options.replayLayout === 'plain' ? [] : [''];
  let closed = false;

  const serveReplay = async (socket: Router): Promise<void> => {
    while (!closed) {
      try {
        const [client, , start] = await socket.receive();
        if (client === undefined || start?.length !== 8) continue;
        for (const [seq, payload] of buffer.since(start.readBigUInt64BE())) {
          await socket.send([client, EMPTY, ...topicFrame, sequenceFrame(seq), payload]);
        }
        await socket.send([client, EMPTY, ...endTopicFrame, END_MARKER, EMPTY]);
      } catch (error) {
        if (!closed) onError(error);
      }
    }
  };
  // ZeroMQ takes one message at a time and now and then finishes later: what comes meanwhile waits its turn.
  const waiting: (string | Uint8Array)[][] = [];
  let sending = false;
  const sendWaiting = async (): Promise<void> => {
    if (sending) return;
    sending = true;
    while (waiting.length > 0 && !closed) {
      try {
        await pub.send(waiting.shift()!);
      } catch (error) {
        if (!closed) onError(error);
      }
    }
    sending = false;
  };
  const serving = replay === null ? Promise.resolve() : serveReplay(replay);

  return {
    endpoint: pub.lastEndpoint ?? options.endpoint,
    replayEndpoint: replay?.lastEndpoint ?? options.replayEndpoint,
    publish(payload) {
      const seq = buffer.push(payload);
      waiting.push([topic, sequenceFrame(seq), payload]);
      void sendWaiting();
      return seq;
    },
    async close() {
      closed = true;
      pub.close();
      replay?.close();
      await serving;
    },
  };
}

/** The last `capacity` batches by sequence number. */
class ReplayBuffer {
  readonly #ring: Uint8Array[] = [];
  readonly #capacity: number;
  #next = 0;

  constructor(capacity: number) {
    this.#capacity = Math.max(1, capacity);
  }

  push(payload: Uint8Array): bigint {
    this.#ring[this.#next % this.#capacity] = payload;
    return BigInt(this.#next++);
  }

  /** Every batch kept with seq >= start, as of now: publishing goes on while they are sent. */
  since(start: bigint): [bigint, Uint8Array][] {
    const batches: [bigint, Uint8Array][] = [];
    const oldest = BigInt(Math.max(0, this.#next - this.#capacity));
    for (let seq = start > oldest ? start : oldest; seq < BigInt(this.#next); seq++) {
      batches.push([seq, this.#ring[Number(seq) % this.#capacity]!]);
    }
    return batches;
  }
}
