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
  const connected = metrics.gauge({
    name: 'bus_connected',
    help: '1 while the bus is connected',
    collect: () => connected.set(bus.state() === 'connected' ? 1 : 0),
  });
  for (const key of Object.keys(HELP) as (keyof BusCounters)[]) {
    const name = `bus_${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    const help = HELP[key];
    if (key === 'appendQueuedBytes') {
      const gauge = metrics.gauge({ name, help, collect: () => gauge.set(bus.counters[key]) });
      continue;
    }
    // The bus keeps the total: the counter is set to it at each scrape.
    const counter = metrics.counter({
      name: `${name}_total`,
      help,
      collect: () => {
        counter.reset();
        counter.inc(bus.counters[key]);
      },
    });
  }
}
