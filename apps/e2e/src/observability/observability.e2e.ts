import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { post, waitFor } from '@sluice/testkit';
import { missingPrograms, MODEL } from '../setup.ts';
import { documentedMetrics, exposedMetrics, seriesNames } from './documented-metrics.ts';
import { MixedLoad } from './mixed-load.ts';
import { ObservedSystem } from './observed-system.ts';
import { Prometheus, RULES, shortened } from './prometheus.ts';
import { panelQueries, ruleQueries } from './queries.ts';
import type { Query } from './queries.ts';

const RANGE_S = 30;

describe('metrics, dashboards and alerts on a running system', () => {
  let skip: string | null = null;
  let system: ObservedSystem;
  let prometheus: Prometheus;
  let load: MixedLoad;
  let lookUps: NodeJS.Timeout;

  beforeAll(async () => {
    skip = await missingPrograms('nats-server', 'redis-server', 'prometheus');
    if (skip !== null) return;
    system = await ObservedSystem.start();
    prometheus = await Prometheus.start(system.targets, shortened(await readFile(RULES, 'utf8')));
    load = new MixedLoad(system.dataUrls, 10);
    const lookUp = { model: MODEL, messages: [{ role: 'user', content: 'where is this?' }] };
    // people look things up now and then; a rate needs two readings around one
    lookUps = setInterval(() => {
      post(`${system.service('kv-index').adminUrl}/lookup`, lookUp).catch(() => undefined);
    }, 1000);
    await waitFor('answers were counted', 30_000, async () => {
      const [completed] = await prometheus.query('sum(sluice_router_requests_total{result="completed"})');
      return Number(completed?.values[0]?.[1]) > 60;
    });
  }, 120_000);

  afterAll(async () => {
    if (skip !== null) {
      console.log(`skipped: ${skip}`);
      return;
    }
    clearInterval(lookUps);
    await load?.stop(1000);
    await prometheus?.stop();
    await system?.stop();
  }, 60_000);

  it('every service exposes what docs/metrics.md says of it, and nothing else', async () => {
    if (skip !== null) return;
    const documented = await documentedMetrics();
    for (const [name, { adminUrl }] of system.services) {
      const page = await (await fetch(`${adminUrl}/metrics`)).text();
      const exposed = exposedMetrics(page);
      const meant = documented(name.replace(/-\d$/, ''));
      expect(exposed.map((metric) => metric.name).sort()).toEqual(meant.map((metric) => metric.name).sort());
      for (const { name: metric, type, labels } of exposed) {
        const { type: meantType, labels: meantLabels } = meant.find((other) => other.name === metric)!;
        expect([metric, type]).toEqual([metric, meantType]);
        if (labels.length > 0) expect([metric, [...labels].sort()]).toEqual([metric, [...meantLabels].sort()]);
      }
    }
  });

  it('Prometheus has every documented metric', async () => {
    if (skip !== null) return;
    const documented = await documentedMetrics();
    const wanted = new Set(
      ['router', 'kv-index', 'event-bridge', 'latency-predictor'].flatMap((service) =>
        documented(service).flatMap(seriesNames),
      ),
    );
    const { value: missing } = await waitFor('every metric', 20_000, async () => {
      const have = new Set(
        (await prometheus.query('count by (__name__) ({job="sluice"})')).map(({ metric }) => metric['__name__']),
      );
      const absent = [...wanted].filter((name) => !have.has(name));
      if (absent.length > 0) throw new Error(absent.join(', '));
      return { absent };
    });
    expect(missing.absent).toEqual([]);
    expect(wanted.size).toBeGreaterThan(100);
  }, 30_000);

  /** Queries without a single number over the last seconds. */
  const empty = async (queries: readonly Query[]): Promise<string[]> => {
    const found: string[] = [];
    for (const { of, expr } of queries) {
      const series = await prometheus.queryRange(expr, RANGE_S);
      if (!series.some(({ values }) => values.some(([, value]) => Number.isFinite(Number(value)))))
        found.push(`${of}: ${expr}`);
    }
    return found;
  };

  it('every query of every panel returns data', async () => {
    if (skip !== null) return;
    const everything = { model: '.*', pool: '.*', worker: 'sim-1', ttft: '2.5', __rate_interval: '10s' };
    const queries = await panelQueries(everything);
    expect(queries.length).toBeGreaterThan(150);
    expect(await empty(queries)).toEqual([]);
  }, 60_000);

  it('what every alert measures is there', async () => {
    if (skip !== null) return;
    const queries = await ruleQueries();
    expect(queries.length).toBeGreaterThan(28);
    expect(await empty(queries)).toEqual([]);
    expect(await prometheus.brokenRules()).toEqual([]);
  });

  it('nothing fires while all is well', async () => {
    if (skip !== null) return;
    await waitFor('all is quiet', 40_000, async () => {
      const firing = await prometheus.firing();
      if (firing.size > 0) throw new Error([...firing].join(', '));
      return true;
    });
  }, 60_000);

  it('an engine that dies is told, and its return', async () => {
    if (skip !== null) return;
    await system.sims[0]!.kill();
    const { labels, summary } = await prometheus.untilFiring('SluiceEngineDown', 15_000);
    expect(labels).toMatchObject({ worker: 'sim-1', pool: 'sim', severity: 'warning' });
    expect(summary).toBe('Worker sim-1 of pool sim is down at every router');
    await system.sims[0]!.restart();
    await prometheus.untilQuiet('SluiceEngineDown', 20_000);
  }, 60_000);

  it('NATS and Redis that are away are told, and their return', async () => {
    if (skip !== null) return;
    await Promise.all([system.stopServer('nats'), system.stopServer('redis')]);
    await prometheus.untilFiring('SluiceBusDown', 20_000);
    await prometheus.untilFiring('SluiceStoreDown', 20_000);
    await Promise.all([system.startServer('nats'), system.startServer('redis')]);
    await prometheus.untilQuiet('SluiceBusDown', 20_000);
    await prometheus.untilQuiet('SluiceStoreDown', 20_000);
  }, 90_000);

  it('a service that is gone is told, and its return', async () => {
    if (skip !== null) return;
    await system.service('kv-index').kill();
    expect((await prometheus.untilFiring('SluiceServiceDown', 15_000)).labels['instance']).toBe(
      new URL(system.service('kv-index').adminUrl).host,
    );
    await system.service('kv-index').start();
    await prometheus.untilQuiet('SluiceServiceDown', 20_000);
  }, 60_000);
});
