import { JetStreamApiCodes, JetStreamApiError, jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamManager, StreamConfig, StreamInfo } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { StreamSubject } from '@sluice/contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from './bus.ts';
import type { BusLogger } from './bus.ts';

/** Bounds of a JetStream stream. Those that are given are enforced on a stream that is there already. */
export interface StreamLimits {
  /** Default 256 MiB. */
  readonly maxBytes?: number;
  /** Default 24 hours. */
  readonly maxAgeMs?: number;
}

const DEFAULT_MAX_BYTES = 256 << 20;
const DEFAULT_MAX_AGE_MS = 24 * 3600_000;
const NANOS_PER_MS = 1e6;
const API_TIMEOUT_MS = 2000;
const RETRY_MS = 250;

/** `kv.v1` is kept in the JetStream stream `SLUICE_KV`. */
export const jetStreamName = (stream: StreamSubject): string =>
  `SLUICE_${stream.name
    .replace(/\.v\d+$/, '')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toUpperCase()}`;

/** The stream as the server has it, made first where it is missing. @throws when JetStream does not answer or is off. */
async function ensureStream(jsm: JetStreamManager, stream: StreamSubject, limits: StreamLimits): Promise<StreamInfo> {
  const name = jetStreamName(stream);
  const given: Partial<StreamConfig> = {
    ...(limits.maxBytes !== undefined && { max_bytes: limits.maxBytes }),
    ...(limits.maxAgeMs !== undefined && { max_age: limits.maxAgeMs * NANOS_PER_MS }),
  };
  let info: StreamInfo;
  try {
    info = await jsm.streams.info(name);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== JetStreamApiCodes.StreamNotFound) throw error;
    return jsm.streams.add({
      name,
      subjects: [`${stream.name}.>`],
      storage: 'file',
      retention: 'limits',
      discard: 'old',
      max_bytes: DEFAULT_MAX_BYTES,
      max_age: DEFAULT_MAX_AGE_MS * NANOS_PER_MS,
      // The least the server takes; nothing is deduplicated, since no message carries an id.
      duplicate_window: 100 * NANOS_PER_MS,
      ...given,
    });
  }
  const differs = Object.entries(given).some(([key, value]) => info.config[key as keyof StreamConfig] !== value);
  return differs ? jsm.streams.update(name, given) : info;
}

/**
 * The stream, tried every 250 ms until it is there; null when `signal` ended it first.
 * What the server lacks is said once per reason.
 */
export async function awaitStream(
  nc: NatsConnection,
  stream: StreamSubject,
  limits: StreamLimits,
  logger: BusLogger,
  signal: AbortSignal,
): Promise<{ jsm: JetStreamManager; info: StreamInfo } | null> {
  let lastReason = '';
  while (!signal.aborted && !nc.isClosed()) {
    try {
      const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: API_TIMEOUT_MS });
      const info = await ensureStream(jsm, stream, limits);
      if (signal.aborted) return null;
      return { jsm, info };
    } catch (error) {
      const reason = explain(nc, error);
      if (reason !== lastReason && !signal.aborted) logger.warn(`stream ${jetStreamName(stream)}: ${reason}`);
      lastReason = reason;
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
  return null;
}

function explain(nc: NatsConnection, error: unknown): string {
  if (nc.info && !nc.info.jetstream) return 'JetStream is off: start nats-server (2.9 or later) with -js -sd DIR';
  return errorText(error);
}
