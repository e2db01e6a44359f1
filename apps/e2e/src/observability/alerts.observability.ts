import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RanksView } from '@sluice/contracts';
import { createKvEventPublisher, encodeKvBatch } from '@sluice/engine-wire';
import { freePort } from '@sluice/process';
import { type Sim, syntheticText, waitFor } from '@sluice/testkit';
import { Report } from '../report.ts';
import { missingPrograms, MODEL, poolOf, startSims, stopSims } from '../setup.ts';
import { chat, MixedLoad } from './mixed-load.ts';
import { ObservedSystem } from './observed-system.ts';
import { Prometheus } from './prometheus.ts';

const report = new Report({
  file: 'e2e-observability.md',
  title: 'Alerts provoked on a running system',
  about: [
    'Two routers, the three other services, NATS, Redis and four simulated engines as processes under load, scraped by a real',
    'Prometheus. The rules are the deployed ones with shorter times: `for` 2 s, windows 10 to 30 s, thresholds as they are. Each',
    'line: what was done, and after how many seconds the alert fired; once that was undone, after how many it cleared.',
    'Alerts in time, with their real windows, are checked by promtool (`npm run e2e -- alert-rules`); SluiceRouterError there alone:',
    'it tells of bugs of the router, and none is planted.',
  ],
  command: 'npm run e2e:observability',
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const seconds = (ms: number): string => (ms / 1000).toFixed(0);

/** Fresh text every time, so that nothing is cached: many times what four engines prefill. */
const flood = (i: number) => ({
  path: '/v1/chat/completions',
  body: {
    model: MODEL,
    stream: true,
    max_tokens: 40,
    messages: [{ role: 'user', content: syntheticText(100_000 + i, 6000) }],
  },
  ...(i % 2 === 0 && { headers: { 'x-sluice-slo-ttft-ms': '300' } }),
});
/** New text that an engine announces in one batch of over 4 KB. */
const longPrompt = (i: number) => ({
  path: '/v1/completions',
  body: { model: MODEL, prompt: syntheticText(200_000 + i, 3000), max_tokens: 1 },
});
/** Answered with 400 by the engine: nothing to learn from. */
const tooLong = (i: number) => ({ path: '/v1/chat/completions', body: chat(i, 0) });

describe('alerts on a running system', () => {
  let skip: string | null = null;
  let system: ObservedSystem;
  let prometheus: Prometheus;
  let load: MixedLoad | null = null;

  const startLoad = (): void => {
    load = new MixedLoad(system.dataUrls, 6);
  };
  const stopLoad = async (): Promise<void> => {
    await load?.stop(2000);
    load = null;
  };

  beforeAll(async () => {
    skip = await missingPrograms('nats-server', 'redis-server', 'prometheus');
    if (skip !== null) return;
    system = await ObservedSystem.start();
    prometheus = await Prometheus.startWithShortRules(system.targets);
    startLoad();
    await pause(25_000);
    await waitFor('all is quiet', 60_000, async () => (await prometheus.firing()).size === 0);
  }, 180_000);

  afterAll(async () => {
    if (skip !== null) {
      console.log(`skipped: ${skip}`);
      return;
    }
    await stopLoad();
    await prometheus?.stop();
    await system?.stop();
    await report.write();
  }, 60_000);

  /** Each of `alerts` fires after `provoke`, and clears after `undo`. */
  const provoked = async (
    alerts: readonly string[],
    what: string,
    provoke: () => unknown,
    undo: () => unknown,
  ): Promise<void> => {
    const fired = new Map<string, number>();
    // the case before may have set it off too
    for (const alert of alerts) await prometheus.untilQuiet(alert, 90_000);
    const started = performance.now();
    try {
      await provoke();
      await Promise.all(
        alerts.map(async (alert) => {
          await prometheus.untilFiring(alert, 90_000);
          fired.set(alert, performance.now() - started);
        }),
      );
    } finally {
      await undo();
    }
    const undone = performance.now();
    for (const alert of alerts) {
      await prometheus.untilQuiet(alert, 90_000);
      const cleared = performance.now() - undone;
      report.add(
        alert,
        `${what}: fired after ${seconds(fired.get(alert)!)} s, cleared ${seconds(cleared)} s after the end`,
      );
    }
    expect(await prometheus.brokenRules()).toEqual([]);
  };
  const alert = (names: readonly string[], what: string, provoke: () => unknown, undo: () => unknown): void =>
    it(`${names.join(', ')}: ${what}`, async () => {
      if (skip === null) await provoked(names, what, provoke, undo);
    });

  const killSims = (sims: readonly Sim[]) => Promise.all(sims.map((sim) => sim.kill()));
  const restartSims = (sims: readonly Sim[]) => Promise.all(sims.map((sim) => sim.restart()));

  alert(
    ['SluiceEngineDown', 'SluiceEngineFailing', 'SluiceEventStreamDown'],
    'an engine is killed',
    () => killSims(system.sims.slice(0, 1)),
    () => restartSims(system.sims.slice(0, 1)),
  );
  alert(
    ['SluiceNoEngineUp', 'SluiceRequestsFailing'],
    'all engines are killed',
    () => killSims(system.sims),
    () => restartSims(system.sims),
  );
  alert(
    ['SluiceBusDown', 'SluiceStoreDown'],
    'NATS and Redis are stopped',
    () => Promise.all([system.stopServer('nats'), system.stopServer('redis')]),
    () => Promise.all([system.startServer('nats'), system.startServer('redis')]),
  );
  alert(
    ['SluiceServiceDown', 'SluicePredictorSilent'],
    'the latency-predictor is killed',
    () => system.service('latency-predictor').kill(),
    () => system.service('latency-predictor').start(),
  );
  alert(
    ['SluiceSiblingLost'],
    'a router is killed',
    () => system.service('router-2').kill(),
    () => system.service('router-2').start(),
  );

  let pulses: NodeJS.Timeout | null = null;
  alert(
    ['SluiceEventLoopDelayed'],
    'a router is held up for 0.3 s of every second',
    () => {
      const { child } = system.service('router');
      pulses = setInterval(() => {
        child.signal('SIGSTOP');
        setTimeout(() => child.signal('SIGCONT'), 300);
      }, 1000);
    },
    async () => {
      if (pulses !== null) clearInterval(pulses);
      await pause(500);
    },
  );

  let flooding: MixedLoad | null = null;
  alert(
    ['SluiceQueueGrowing', 'SluiceTtftHigh', 'SluiceShedding', 'SluiceServiceLevelMissed'],
    'a flood of long new prompts, half of them with a TTFT of 300 ms asked for',
    () => {
      flooding = new MixedLoad(system.dataUrls, 40, flood);
    },
    () => flooding?.stop(0),
  );

  const entries = (change: (entry: Record<string, unknown>) => object): object => ({
    ...poolOf(system.sims),
    engines: system.sims.map((sim) => change(sim.entry as Record<string, unknown>)),
  });
  alert(
    ['SluicePromptsNotExact'],
    'the pool loses its tokenizer',
    () => system.setFleet([poolOf(system.sims, null)]),
    () => system.setFleet([poolOf(system.sims)]),
  );
  alert(
    ['SluiceIndexIncomplete'],
    'the engines lose their replay endpoints and start over',
    async () => {
      const withoutReplay = ({ kvEvents, ...rest }: Record<string, unknown>) => {
        const { replay: _, ...events } = kvEvents as Record<string, unknown>;
        return { ...rest, kvEvents: events };
      };
      await system.setFleet([entries(withoutReplay)]);
    },
    () => system.setFleet([poolOf(system.sims)]),
  );
  /** The fleet with other events of its first engine. */
  const withFirst = (kvEvents: object): object => {
    const [first, ...others] = system.sims;
    return { ...poolOf(system.sims), engines: [{ ...first!.entry, kvEvents }, ...others.map((sim) => sim.entry)] };
  };
  alert(
    ['SluiceEventStreamDown'],
    'the fleet file names ports where no events are',
    async () => {
      const [endpoint, replay] = [await freePort(), await freePort()].map((port) => `tcp://127.0.0.1:${port}`);
      await system.setFleet([withFirst({ endpoint, replay })]);
    },
    () => system.setFleet([poolOf(system.sims)]),
  );

  let publisher: Awaited<ReturnType<typeof createKvEventPublisher>> | null = null;
  alert(
    ['SluiceEventsNotUnderstood'],
    'an event port sends what is no event',
    async () => {
      const endpoint = `tcp://127.0.0.1:${await freePort()}`;
      publisher = await createKvEventPublisher({ endpoint, bind: true, replayEndpoint: null, topic: 'kv-events' });
      await system.setFleet([withFirst({ endpoint, topic: 'kv-events' })]);
      for (let i = 0; i < 20; i++) {
        await pause(500);
        publisher.publish(new TextEncoder().encode('not an event batch'));
      }
    },
    async () => {
      await system.setFleet([poolOf(system.sims)]);
      await publisher?.close();
    },
  );

  let overtaking: NodeJS.Timeout | null = null;
  alert(
    ['SluiceEventsLost'],
    'an engine without a replay endpoint starts over and is ahead of the bridge before it is connected again',
    async () => {
      const endpoint = `tcp://127.0.0.1:${await freePort()}`;
      const open = async (): Promise<void> => {
        publisher = await createKvEventPublisher({ endpoint, bind: true, replayEndpoint: null, topic: 'kv-events' });
      };
      const publish = (): unknown =>
        publisher?.publish(encodeKvBatch({ timeMs: Date.now(), events: [], dpRank: null }));
      await open();
      await system.setFleet([withFirst({ endpoint, topic: 'kv-events' })]);
      await waitFor('the bridge reads them', 20_000, async () => {
        publish();
        const { ranks } = await system.service('event-bridge').getAdmin<RanksView>('/ranks');
        const rank = ranks.find(({ worker }) => worker === 'sim-1');
        // the engine that was there before has blocks
        return rank !== undefined && rank.state !== 'unread' && rank.blocks === 0 && rank.engineSeq > 0;
      });
      await publisher?.close();
      // the port of the one before is freed in the background
      await waitFor('the next process', 5000, () => open().then(() => true));
      for (let i = 0; i < 1000; i++) publish();
      overtaking = setInterval(publish, 300);
    },
    async () => {
      if (overtaking !== null) clearInterval(overtaking);
      await system.setFleet([poolOf(system.sims)]);
      await publisher?.close();
    },
  );

  let long: MixedLoad | null = null;
  alert(
    ['SluiceStreamDropping', 'SluiceIndexGaps'],
    'NATS takes no message over 4 KB while long prompts are stored',
    async () => {
      await system.stopServer('nats');
      await system.startServer('nats', { maxPayloadBytes: 4096 });
      long = new MixedLoad(system.dataUrls, 3, longPrompt);
    },
    async () => {
      await long?.stop(0);
      await system.stopServer('nats');
      await system.startServer('nats');
    },
  );

  alert(
    ['SluiceSettingsRefused'],
    'the file of settings gets a value that is none',
    () => system.setSettings({ ROUTER_RETRIES: 'often' }),
    () => system.setSettings({}),
  );

  /** Other engines take the place of the fleet's for a while. */
  let guests: Sim[] = [];
  const invite = async (options: Parameters<typeof startSims>[1], tokenizer?: null): Promise<void> => {
    guests = await startSims(2, options);
    await system.setFleet([poolOf(guests, ...(tokenizer === undefined ? [] : [tokenizer]))]);
  };
  const dismiss = async (): Promise<void> => {
    await system.setFleet([poolOf(system.sims)]);
    await stopSims(guests);
  };
  const profile = 'llama-3.1-8b-h100';
  alert(
    ['SluiceIndexLag'],
    'engines whose clocks are 5 s behind',
    () => invite({ profile, extraArgs: ['--kv-events-clock-offset', '-5'] }),
    dismiss,
  );
  alert(
    ['SluiceCachedTokensDisagree'],
    'engines without prefix caching behind an approximate index',
    () => invite({ profile, extraArgs: ['--no-enable-prefix-caching'] }, null),
    dismiss,
  );
  alert(
    ['SluicePredictionsOff'],
    'engines at a quarter of their speed while the predictor is away',
    async () => {
      await system.service('latency-predictor').kill();
      await invite({ profile, speed: 0.25 });
    },
    async () => {
      await dismiss();
      await system.service('latency-predictor').start();
    },
  );

  alert(
    ['SluiceIndexFull'],
    'kv-index with room for 1024 blocks',
    () => system.restartWith('kv-index', { KV_INDEX_MAX_NODES: '1024' }),
    () => system.restartWith('kv-index', {}),
  );
  alert(
    ['SluiceRestarting'],
    'a service is restarted three times',
    async () => {
      for (let i = 0; i < 3; i++) {
        await system.service('latency-predictor').kill();
        await system.service('latency-predictor').start();
        await pause(1500);
      }
    },
    () => undefined,
  );
  let refused: MixedLoad | null = null;
  alert(
    ['SluicePredictorNotLearning'],
    'nothing but requests that engines refuse',
    async () => {
      await stopLoad();
      refused = new MixedLoad(system.dataUrls, 5, tooLong);
    },
    async () => {
      await refused?.stop();
      startLoad();
    },
  );
});
