import { setTimeout as sleep } from 'node:timers/promises';
import { decodeKvBatch, KvDecodeError, openKvEventStream } from '@sluice/engine-wire';
import type { EngineKvBatch } from '@sluice/engine-wire';
import type { KvEventSource } from '@sluice/model';
import { reasonOf } from '../../reason.ts';
import { askZmqPeer, tcpAddress } from '../net/zmq-peer.ts';
import type { ZmqPeer } from '../net/zmq-peer.ts';

/** A batch with the time at which it got here, milliseconds since the Unix epoch. */
export interface HeardBatch {
  readonly batch: EngineKvBatch;
  readonly heardAtMs: number;
}

/** What was found out about the event stream of one rank. */
export interface EventTraces {
  /** Who listens at the address of events; null where we bind, or the address is no TCP address. */
  readonly publisher: ZmqPeer | null;
  /** Whether a connection of the subscription came up. */
  readonly linked: boolean;
  /** Why our own end could not be opened; null when it was. */
  readonly socketError: string | null;
  /** Batches under the topic that the fleet names, and under any topic. */
  readonly batches: readonly HeardBatch[];
  readonly underAnyTopic: number;
  /** Batches or events that are of no known form. */
  readonly unknown: number;
  /** Who listens at the replay address, and whether a replay came to its end; null without such an address. */
  readonly replay: { readonly peer: ZmqPeer | null; readonly complete: boolean } | null;
}

const SETTLE_MS = 300;
/** After the last sequence number an engine will reach: it has nothing to replay, and says so. */
const PAST_EVERYTHING = 1n << 62n;

/**
 * Subscribes to a rank's KV events, lets `cause` make it publish some, and asks for a replay.
 * @param patienceMs for a connection, for events after their cause, and for the replay
 */
export async function listenToEvents(
  source: KvEventSource,
  cause: () => Promise<boolean>,
  patienceMs: number,
): Promise<EventTraces> {
  const address = source.mode === 'connect' ? tcpAddress(source.endpoint) : null;
  const replayAddress = source.replayEndpoint === null ? null : tcpAddress(source.replayEndpoint);
  const [publisher, replayPeer] = await Promise.all([
    address === null ? null : askZmqPeer(address, patienceMs),
    replayAddress === null ? null : askZmqPeer(replayAddress, patienceMs),
  ]);
  const heard = subscribe(source);
  // A topic that nothing is published under looks like silence: listen to all the rest as well.
  const beside = source.topic === '' || source.mode === 'bind' ? null : subscribe({ ...source, topic: '' });
  try {
    const reachable = publisher === null || publisher.kind === 'zmq';
    if (reachable) await until(() => heard.linked || heard.socketError !== null, patienceMs);
    if (heard.linked) {
      // Subscriptions travel to the publisher, which drops what it publishes before they arrive.
      await sleep(SETTLE_MS);
      const caused = await cause();
      if (caused) await until(() => heard.batches.length > 0, patienceMs);
      await sleep(SETTLE_MS);
    }
    const replay =
      source.replayEndpoint === null
        ? null
        : {
            peer: replayPeer,
            complete:
              (replayPeer === null || replayPeer.kind === 'zmq') &&
              (await heard.stream.replay(PAST_EVERYTHING, { silenceMs: patienceMs })).complete,
          };
    return {
      publisher,
      linked: heard.linked,
      socketError: heard.socketError,
      batches: heard.batches,
      underAnyTopic: beside?.batches.length ?? heard.batches.length,
      unknown: heard.unknown,
      replay,
    };
  } finally {
    heard.stream.close();
    beside?.stream.close();
  }
}

function subscribe(source: KvEventSource) {
  const batches: HeardBatch[] = [];
  const state = { batches, linked: false, socketError: null as string | null, unknown: 0 };
  const stream = openKvEventStream({
    source,
    onMessage: (_seq, payload) => {
      try {
        const batch = decodeKvBatch(payload);
        state.unknown += batch.unknown;
        batches.push({ batch, heardAtMs: Date.now() });
      } catch (error) {
        if (!(error instanceof KvDecodeError)) throw error;
        state.unknown++;
      }
    },
    onError: (error) => {
      state.socketError ??= reasonOf(error, 0);
    },
    onLink: (link) => {
      if (link === 'up') state.linked = true;
    },
  });
  return Object.assign(state, { stream });
}

async function until(condition: () => boolean, timeoutMs: number): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!condition() && performance.now() < deadlineMs) await sleep(20);
}
