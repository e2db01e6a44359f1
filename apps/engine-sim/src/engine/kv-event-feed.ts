import type { KvEvent } from '@sluice/engine-model';
import { createKvEventPublisher, encodeKvBatch } from '@sluice/engine-wire';
import type { EngineKvBatchInput, KvEventPublisher } from '@sluice/engine-wire';
import type { KvEventsConfig } from '../config.ts';

/** The KV events of one rank on their way to ZeroMQ. */
export interface KvEventFeed {
  /** Addresses in use. */
  readonly endpoint: string;
  readonly replayEndpoint: string | null;
  /** Publishes the events of one step as one batch. */
  publish(events: readonly KvEvent[]): void;
  close(): Promise<void>;
}

/** vLLM's port rule: `tcp` ports grow by the rank, `inproc` names get it as a suffix, others stay (one rank only). */
export function endpointOfRank(endpoint: string, rank: number): string {
  if (rank === 0) return endpoint;
  if (endpoint.startsWith('inproc://')) return `${endpoint}_dp${rank}`;
  return endpoint.replace(/:(\d+)$/, (_, port: string) => `:${Number(port) + rank}`);
}

/**
 * Opens the PUB and replay sockets of one rank.
 * @throws when an address cannot be bound.
 */
export async function openKvEventFeed(
  config: KvEventsConfig,
  rank: number,
  onError: (error: unknown) => void,
): Promise<KvEventFeed> {
  const publisher: KvEventPublisher = await createKvEventPublisher({
    endpoint: endpointOfRank(config.endpoint, rank),
    bind: config.bind,
    replayEndpoint: config.replayEndpoint === null ? null : endpointOfRank(config.replayEndpoint, rank),
    topic: config.topic,
    bufferSteps: config.bufferSteps,
    highWaterMark: config.highWaterMark,
    onError,
  });
  return {
    endpoint: publisher.endpoint,
    replayEndpoint: publisher.replayEndpoint,
    publish(events) {
      const batch = { timeMs: Date.now() + config.clockOffsetMs, events: events.flatMap(toWire), dpRank: rank };
      publisher.publish(encodeKvBatch(batch, config.form));
    },
    close: () => publisher.close(),
  };
}

const GROUP = { groupIndex: 0, groupKind: 'full_attention' } as const;

/** vLLM announces one removal an event. */
function toWire(event: KvEvent): EngineKvBatchInput['events'][number][] {
  if (event.kind === 'stored') return [{ ...event, ...GROUP }];
  if (event.kind === 'cleared') return [event];
  return Array.from(event.hashes, (_, i) => ({
    kind: 'removed',
    hashes: event.hashes.subarray(i, i + 1),
    groupIndex: GROUP.groupIndex,
  }));
}
