import type { Bus, BusCounters } from '@sluice/bus';
import type { Metrics } from '@sluice/telemetry';

const HELP: Record<keyof BusCounters, string> = {
  published: 'JSON messages published',
  publishDropped: 'JSON messages not sent: disconnected or too large',
  received: 'JSON messages received',
  invalid: 'JSON messages thrown away: not what their schema says',
  handlerErrors: 'Message handlers that threw',
  appended: 'Stream messages appended',
  appendDropped: 'Stream messages given up before they were stored',
  appendQueuedBytes: 'Bytes that wait to be stored by a stream',
  consumed: 'Stream messages consumed',
};

/** Shows the bus's state and totals as `bus_*` metrics, read at scrape time. */
export function busMetrics(metrics: Metrics, bus: Bus): void {
  metrics.gauge({
    name: 'bus_connected',
    help: '1 while the bus (NATS, in-memory in standalone) is connected',
    read: () => (bus.state() === 'connected' ? 1 : 0),
  });
  const disconnects = metrics.counter({
    name: 'bus_disconnects_total',
    help: 'Times that the connection to the bus was lost',
  });
  bus.onState((state) => {
    if (state === 'disconnected') disconnects.inc();
  });
  for (const key of Object.keys(HELP) as (keyof BusCounters)[]) {
    const name = `bus_${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    const read = (): number => bus.counters[key];
    if (key === 'appendQueuedBytes') metrics.gauge({ name, help: HELP[key], read });
    else metrics.counter({ name: `${name}_total`, help: HELP[key], read });
  }
}
