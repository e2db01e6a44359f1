import { describe, expect, it } from '@jest/globals';
import { createMetrics } from '@sluice/telemetry';
import { signedHistogram } from './signed-histogram.ts';

describe('signedHistogram', () => {
  it('has both signs before anything was observed', async () => {
    const metrics = createMetrics({ service: 'router', process: false });
    signedHistogram(metrics, { name: 'd_seconds', help: 'd', labels: [] })({});
    expect((await metrics.text()).match(/_count{.*} 0$/gm)).toHaveLength(2);
  });

  it('keeps both signs apart, so that no sum ever falls', async () => {
    const metrics = createMetrics({ service: 'router', process: false });
    const observe = signedHistogram(metrics, { name: 'd_seconds', help: 'd', labels: ['pool'] })({ pool: 'p' });
    for (const ms of [250, -500, 0, -500, NaN, Infinity]) observe(ms);
    const text = await metrics.text();
    const value = (part: string, direction: string): number =>
      Number(
        new RegExp(`^sluice_d_seconds_${part}{(?=.*pool="p").*direction="${direction}".*} (.*)$`, 'm').exec(text)?.[1],
      );
    expect([value('sum', 'later'), value('count', 'later')]).toEqual([0.25, 2]);
    expect([value('sum', 'sooner'), value('count', 'sooner')]).toEqual([1, 2]);
  });
});
