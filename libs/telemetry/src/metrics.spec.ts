import { describe, expect, it } from '@jest/globals';
import { createMetrics, mergeMetrics } from './index.ts';

const samples = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('createMetrics', () => {
  it('prefixes names and labels every sample with the service', async () => {
    const metrics = createMetrics({ service: 'router', process: false });
    const requests = metrics.counter({ name: 'requests_total', help: 'Requests', labels: ['result'] });
    const ok = requests.labels('ok');
    ok.inc();
    ok.inc(2);
    metrics.gauge({ name: 'workers', help: 'Workers' }).set(4);
    expect(samples(await metrics.text())).toEqual([
      'sluice_requests_total{result="ok",service="router"} 3',
      'sluice_workers{service="router"} 4',
    ]);
    expect(metrics.contentType).toContain('version=0.0.4');
  });

  it('reads values that are kept elsewhere at scrape time', async () => {
    const metrics = createMetrics({ service: 'router', process: false });
    let held = 1;
    metrics.gauge({ name: 'held', help: 'Held', read: () => held });
    metrics.counter({ name: 'sent_total', help: 'Sent', read: () => 10 * held });
    const seen = async (): Promise<string[]> => samples(await metrics.text());
    expect(await seen()).toEqual(['sluice_held{service="router"} 1', 'sluice_sent_total{service="router"} 10']);
    held = 2;
    expect(await seen()).toEqual(['sluice_held{service="router"} 2', 'sluice_sent_total{service="router"} 20']);
  });

  it('forgets series that are not set any more', async () => {
    const metrics = createMetrics({ service: 'router', process: false });
    const workers = new Map([
      ['a', 1],
      ['b', 2],
    ]);
    const readEach = (set: (labels: { worker: string }, value: number) => void): void => {
      for (const [worker, value] of workers) set({ worker }, value);
    };
    metrics.gauge({ name: 'held', help: 'Held', labels: ['worker'], readEach });
    metrics.counter({ name: 'sent_total', help: 'Sent', labels: ['worker'], readEach });
    expect(samples(await metrics.text())).toHaveLength(4);
    workers.delete('a');
    expect(samples(await metrics.text())).toEqual([
      'sluice_held{worker="b",service="router"} 2',
      'sluice_sent_total{worker="b",service="router"} 2',
    ]);
  });

  it('tells what is registered', () => {
    const metrics = createMetrics({ service: 'router', process: false });
    metrics.counter({ name: 'requests_total', help: 'Requests', labels: ['result'] });
    metrics.histogram({ name: 'ttft_seconds', help: 'TTFT', buckets: [1] });
    expect(metrics.definitions).toEqual([
      { name: 'sluice_requests_total', type: 'counter', help: 'Requests', labels: ['result'] },
      { name: 'sluice_ttft_seconds', type: 'histogram', help: 'TTFT', labels: [] },
    ]);
  });

  it('lets other work run between two metrics', async () => {
    const metrics = createMetrics({ service: 'router', process: false });
    const order: string[] = [];
    for (const name of ['a', 'b']) metrics.gauge({ name, help: name, read: () => order.push(name) });
    const text = metrics.text();
    setImmediate(() => order.push('other'));
    await text;
    expect(order).toEqual(['a', 'other', 'b']);
  });

  it('counts into the buckets of a histogram', async () => {
    const metrics = createMetrics({ service: 'router', process: false });
    const ttft = metrics.histogram({ name: 'ttft_seconds', help: 'TTFT', buckets: [0.1, 1] });
    ttft.observe(0.05);
    ttft.observe(0.5);
    expect(samples(await metrics.text())).toEqual([
      'sluice_ttft_seconds_bucket{le="0.1",service="router"} 1',
      'sluice_ttft_seconds_bucket{le="1",service="router"} 2',
      'sluice_ttft_seconds_bucket{le="+Inf",service="router"} 2',
      'sluice_ttft_seconds_sum{service="router"} 0.55',
      'sluice_ttft_seconds_count{service="router"} 2',
    ]);
  });

  it('shows the process', async () => {
    const text = await createMetrics({ service: 'router' }).text();
    const value = (sample: string): number =>
      Number(
        samples(text)
          .find((line) => line.startsWith(sample))
          ?.split(' ')[1],
      );
    expect(value('sluice_process_memory_bytes{kind="resident"')).toBeGreaterThan(1e6);
    expect(value('sluice_process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(value('sluice_event_loop_delay_seconds{quantile="0.99"')).toBeGreaterThanOrEqual(0);
  });

  it('refuses a name that is taken', () => {
    const metrics = createMetrics({ service: 'router', process: false });
    metrics.gauge({ name: 'workers', help: 'Workers' });
    expect(() => metrics.gauge({ name: 'workers', help: 'Workers' })).toThrow();
  });
});

describe('mergeMetrics', () => {
  it('has one HELP and TYPE per name and every sample', async () => {
    const all = ['router', 'kv-index'].map((service) => createMetrics({ service, process: false }));
    for (const metrics of all) metrics.gauge({ name: 'workers', help: 'Workers' }).set(1);
    all[1]!.counter({ name: 'lookups_total', help: 'Lookups' }).inc();
    createMetrics({ service: 'idle', process: false });
    expect(await mergeMetrics(all)).toBe(
      [
        '# HELP sluice_workers Workers',
        '# TYPE sluice_workers gauge',
        'sluice_workers{service="router"} 1',
        'sluice_workers{service="kv-index"} 1',
        '',
        '# HELP sluice_lookups_total Lookups',
        '# TYPE sluice_lookups_total counter',
        'sluice_lookups_total{service="kv-index"} 1',
        '',
      ].join('\n'),
    );
    expect(await mergeMetrics([createMetrics({ service: 'idle', process: false })])).toBe('');
  });
});
