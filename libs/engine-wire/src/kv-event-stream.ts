import { setTimeout as sleep } from 'node:timers/promises';
import type { KvEventSource } from '@sluice/model';
import { Subscriber } from 'zeromq';
import { NO_REPLAY, requestReplay } from './kv-replay.ts';
import type { KvReplay } from './kv-replay.ts';

export interface KvEventStreamOptions {
  readonly source: KvEventSource;
  /** One published batch, in the order of arrival; must not throw. */
  readonly onMessage: (seq: bigint, payload: Uint8Array) => void;
  /** The socket could not be bound or read, or a message was malformed; the stream goes on. */
  readonly onError: (error: unknown) => void;
  /**
   * `up`: a publisher's connection is ready; `down`: one was lost. Messages in between are not sent again. Told after
   * `connected` has changed.
   */
  readonly onLink?: (state: 'up' | 'down') => void;
}

export interface KvEventStream {
  /** Whether a publisher is connected: one that is silent is, one that is gone, hangs or was never there is not. */
  readonly connected: boolean;
  /** Batches from sequence number `from` on, out of the engine's replay buffer. Never rejects. */
  replay(from: bigint, options?: { readonly silenceMs?: number }): Promise<KvReplay>;
  close(): void;
}

const REBIND_MS = 250;
/** vLLM's own high-water mark; what is beyond it is dropped by the socket and shows as a gap. */
const HIGH_WATER_MARK = 100_000;
const REPLAY_SILENCE_MS = 2_000;
/** ZeroMQ tries again within a second; after this long without an attempt it has given up. */
const ABANDONED_MS = 2_000;

/**
 * Subscribes to one rank's KV events. The socket is drained all the time, whatever the receiver does with the messages.
 * Connections are made again by ZeroMQ; an address that cannot be bound is tried again until `close`.
 */
export function openKvEventStream(options: KvEventStreamOptions): KvEventStream {
  const { source, onError } = options;
  const socket = new Subscriber({
    linger: 0,
    receiveHighWaterMark: HIGH_WATER_MARK,
    reconnectInterval: 100,
    reconnectMaxInterval: 1_000,
    heartbeatInterval: 2_000,
    heartbeatTimeout: 6_000,
  });
  let closed = false;
  const attach = async (): Promise<void> => {
    if (source.mode === 'connect') return socket.connect(source.endpoint);
    while (!closed) {
      try {
        return await socket.bind(source.endpoint);
      } catch (error) {
        if (closed) return;
        onError(error);
        await sleep(REBIND_MS);
      }
    }
  };
  const link: Link = { connections: 0, ready: false };
  socket.subscribe(source.topic);
  void watchLink(socket, options, link, () => closed);
  void drain(socket, options, () => closed);
  attach().catch(onError);

  return {
    get connected() {
      return link.ready;
    },
    replay: (from, { silenceMs = REPLAY_SILENCE_MS } = {}) =>
      source.replayEndpoint === null
        ? Promise.resolve(NO_REPLAY)
        : requestReplay(source.replayEndpoint, from, silenceMs),
    close() {
      closed = true;
      socket.close();
    },
  };
}

async function drain(socket: Subscriber, options: KvEventStreamOptions, closed: () => boolean): Promise<void> {
  while (!closed()) {
    try {
      const frames = await socket.receive();
      const [, seq, payload] = frames;
      if (seq?.length !== 8 || payload === undefined) {
        options.onError(new Error(`KV event message of ${frames.length} frames is not [topic, seq, payload]`));
      } else options.onMessage(seq.readBigUInt64BE(), payload);
    } catch (error) {
      if (closed()) return;
      options.onError(error);
    }
  }
}

interface Link {
  /** Connections that are open, whether a publisher has answered on them yet or not. */
  connections: number;
  /** A publisher answered, and since then there was always a connection. */
  ready: boolean;
}

/**
 * Tells of connections, and connects again where ZeroMQ does not: a peer that speaks another protocol (another program
 * had the port for a while) ends its attempts for good.
 */
async function watchLink(
  socket: Subscriber,
  options: KvEventStreamOptions,
  link: Link,
  closed: () => boolean,
): Promise<void> {
  const { mode, endpoint } = options.source;
  let abandoned: NodeJS.Timeout | undefined;
  const connectAnew = (): void => {
    if (closed()) return;
    try {
      socket.disconnect(endpoint);
      socket.connect(endpoint);
    } catch (error) {
      options.onError(error);
    }
  };
  for await (const event of socket.events) {
    clearTimeout(abandoned);
    // every connection begins with one of these two, and ends with one `disconnect`
    if (event.type === 'connect' || event.type === 'accept') link.connections++;
    else if (event.type === 'handshake') {
      link.ready = true;
      options.onLink?.('up');
    } else if (event.type === 'disconnect') {
      // where engines connect to us, a new process may be there before the old one's connection ends
      if (--link.connections === 0) link.ready = false;
      options.onLink?.('down');
      if (mode === 'connect') abandoned = setTimeout(connectAnew, ABANDONED_MS).unref();
    }
  }
  clearTimeout(abandoned);
}
