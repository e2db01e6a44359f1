import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { metricsPage, registeredMetrics } from './metrics-page.ts';
import type { ServiceMetrics } from './metrics-page.ts';

const root = join(import.meta.dirname, '../..');
let all: ServiceMetrics[];
beforeAll(async () => {
  all = await registeredMetrics();
});

describe('docs/metrics.md', () => {
  it('is what the services register; else run `npm run docs:metrics`', async () => {
    expect(await readFile(join(root, 'docs/metrics.md'), 'utf8')).toBe(metricsPage(all));
  });

  it('refuses a label that nobody has bounded', () => {
    const unbounded = { name: 'x_total', type: 'counter', help: 'X', labels: ['user'] } as const;
    expect(() => metricsPage([{ service: 'router', definitions: [unbounded] }])).toThrow(/x_total.*user/);
    expect(() => metricsPage([{ service: 'router', definitions: [{ ...unbounded, labels: [], help: ' ' }] }])).toThrow(
      /help/,
    );
  });
});

describe('names of metrics', () => {
  const definitions = (): ServiceMetrics['definitions'] => all.flatMap((each) => each.definitions);

  it('end in _total exactly where they are counters', () => {
    const wrong = definitions().filter(({ name, type }) => name.endsWith('_total') !== (type === 'counter'));
    expect(wrong).toEqual([]);
  });

  it('are in base units', () => {
    const wrong = definitions().filter(({ name }) => /_(ms|milliseconds|percent|kb|mb)(_|$)/i.test(name));
    expect(wrong).toEqual([]);
  });

  it('mean the same wherever they are', () => {
    const byName = Map.groupBy(definitions(), ({ name }) => name);
    for (const [name, same] of byName) {
      expect([name, new Set(same.map((each) => JSON.stringify(each))).size]).toEqual([name, 1]);
    }
  });
});
