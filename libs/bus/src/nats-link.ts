import { connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from './bus.ts';
import type { BusLogger } from './bus.ts';

const RECONNECT_MS = 250;
const CONNECT_TIMEOUT_MS = 2000;
/** A server that answers no ping for two of these is gone, although its connection is open. */
const PING_MS = 5000;

export interface NatsLinkOptions {
  readonly servers: readonly string[];
  readonly name: string;
  readonly logger: BusLogger;
  /** A connection that never was used before: everything has to be subscribed on it. */
  readonly onUp: (nc: NatsConnection) => void;
  readonly onDown: () => void;
}

/**
 * Keeps one connection, for ever: a broken one is replaced by a new one, tried every 250 ms. The client's own reconnect is
 * off, so that a first connection and a later one are one code path and nothing is sent from buffers of a dead one.
 */
export class NatsLink {
  readonly #options: NatsLinkOptions;
  readonly #closing = new AbortController();
  readonly #done: Promise<void>;
  #nc: NatsConnection | null = null;
  #lastError = '';

  private constructor(options: NatsLinkOptions, attempted: () => void) {
    this.#options = options;
    this.#done = this.#keepConnected(attempted);
  }

  /** Resolves after the first attempt, whether it succeeded or not. */
  static async open(options: NatsLinkOptions): Promise<NatsLink> {
    let link: NatsLink | undefined;
    await new Promise<void>((resolve) => (link = new NatsLink(options, resolve)));
    return link!;
  }

  /** Ends the connection and the attempts to have one. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#nc?.close();
    await this.#done;
  }

  async #keepConnected(attempted: () => void): Promise<void> {
    const { servers, name, logger, onUp, onDown } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const nc = await connect({
          servers: [...servers],
          name,
          reconnect: false,
          timeout: CONNECT_TIMEOUT_MS,
          pingInterval: PING_MS,
          maxPingOut: 2,
        });
        if (signal.aborted) {
          await nc.close();
          break;
        }
        this.#nc = nc;
        this.#lastError = '';
        logger.info(`NATS connected: ${nc.getServer()}, version ${nc.info?.version ?? 'unknown'}`);
        onUp(nc);
        attempted();
        const error = await nc.closed();
        this.#nc = null;
        onDown();
        if (!signal.aborted) logger.warn(`NATS disconnected${error ? `: ${errorText(error)}` : ''}`);
      } catch (error) {
        // One line per outage, not four a second.
        const text = errorText(error);
        if (text !== this.#lastError) logger.warn(`cannot connect to NATS at ${servers.join(', ')}: ${text}`);
        this.#lastError = text;
        attempted();
      }
      await sleep(RECONNECT_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
