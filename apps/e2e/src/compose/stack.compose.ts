import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { post, sseEvents, syntheticText, waitFor } from '@sluice/testkit';
import { untilRouterFollows } from '../index-checks.ts';
import { Report } from '../report.ts';
import { env, MODEL } from '../setup.ts';
import { type Docker, openDocker } from './docker.ts';
import { Stack } from './stack.ts';
import { describeBroken, type Mode, SteadyClient } from './steady-client.ts';

const OUR_SERVICES = ['router', 'kv-index', 'event-bridge', 'latency-predictor'] as const;
const ENGINES = ['engine-1', 'engine-2', 'engine-3', 'engine-4'] as const;
const SERVERS = ['nats', 'redis', 'prometheus'] as const;
const EVERYTHING = [...OUR_SERVICES, 'console', ...ENGINES, ...SERVERS];
const GROUPS = 6;
const SYSTEM_TOKENS = 1500;
/** A net for containers that hang, no expectation: on a busy machine a start took 90 s. */
const PATIENCE_MS = 240_000;
/** Above what any of our images takes; an image that holds development dependencies is over it at once. */
const MAX_IMAGE_BYTES = 200e6;
/** Sections of a report of all tests: a part of them leaves the page as it is. */
const SECTIONS = 19;

const found = await openDocker(env);
if (found.kind === 'missing') console.log(`skipped: ${found.reason}`);

(found.kind === 'docker' ? describe : describe.skip)('docker compose up', () => {
  const report = new Report({
    file: 'e2e-compose.md',
    title: 'docker compose',
    about: [
      'What `npm run e2e:compose` measured last: `docker-compose.yml` on a real Docker engine, images built from the Dockerfile.',
      'A client sends eight chats a second, every other one streamed, while one container after the other is killed from',
      'outside (SIGKILL to its process) and started again by its restart policy.',
    ],
    command: 'SLUICE_REPORT=1 npm run e2e:compose',
  });
  let docker: Docker;
  let stack: Stack;

  beforeAll(async () => {
    if (found.kind !== 'docker') return;
    docker = found.docker;
    stack = await Stack.open(docker);
    const started = performance.now();
    // The other engines have the image of the first.
    await stack.build([...OUR_SERVICES, 'console', 'engine-1']);
    const sizes = await Promise.all(
      [...OUR_SERVICES, 'console', 'engine-sim'].map(async (name) => ({ name, bytes: await stack.imageBytes(name) })),
    );
    report.add(
      'Images',
      `built in ${seconds(performance.now() - started)}; layers and base images that were here already are not made again`,
      ...sizes.map(({ name, bytes }) => `sluice/${name}: ${(bytes / 1e6).toFixed(0)} MB`),
    );
    for (const { bytes } of sizes) expect(bytes).toBeLessThan(MAX_IMAGE_BYTES);
  }, 1_500_000);

  afterAll(async () => {
    await stack?.remove();
    await docker?.stop();
    if (env['SLUICE_REPORT'] === '1' && report.sections === SECTIONS) await report.write(...docker.versions);
  }, 300_000);

  /** Sends the same system prompt with another question; the worker, and how many tokens it had in its cache. */
  async function ask(group: number, question: string): Promise<{ worker: string; cachedTokens: number }> {
    const answer = await post(`${stack.url('data')}/v1/chat/completions`, {
      model: MODEL,
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 4,
      messages: [
        { role: 'system', content: syntheticText(5000 + group, SYSTEM_TOKENS) },
        { role: 'user', content: question },
      ],
    });
    expect(answer.complete).toBe(true);
    const cachedTokens = answer.usage?.prompt_tokens_details?.cached_tokens ?? 0;
    return { worker: answer.headers.get('x-sluice-worker')!, cachedTokens };
  }

  /** Asks twice per group: the second time the prefix is cached, where it was. */
  async function expectPrefixRouting(round: string): Promise<void> {
    const firsts = [];
    for (let group = 0; group < GROUPS; group++) firsts.push(await ask(group, `${round}, first`));
    let cached = 0;
    for (let group = 0; group < GROUPS; group++) {
      const again = await ask(group, `${round}, again`);
      expect(again.cachedTokens).toBeGreaterThan(0.8 * SYSTEM_TOKENS);
      expect(again.worker).toBe(firsts[group]!.worker);
      cached += again.cachedTokens;
    }
    report.add(
      `Prefix routing ${round}`,
      `${GROUPS} system prompts of ${SYSTEM_TOKENS} tokens on ${new Set(firsts.map(({ worker }) => worker)).size} engines; asked again: each where it was, ${Math.round(cached / GROUPS)} tokens cached on average`,
    );
  }

  async function expectAllTargetsUp(): Promise<readonly string[]> {
    interface Target {
      readonly labels: { readonly instance: string };
      readonly health: string;
      readonly lastError: string;
    }
    const { value } = await waitFor('every target of Prometheus up', 30_000, async () => {
      const { data } = await stack.getAdmin<{ data: { activeTargets: Target[] } }>('prometheus', '/api/v1/targets');
      const down = data.activeTargets.filter(({ health }) => health !== 'up');
      if (down.length > 0) throw new Error(down.map((one) => `${one.labels.instance} ${one.lastError}`).join(', '));
      return data.activeTargets.map(({ labels }) => labels.instance).sort();
    });
    return value;
  }

  /** Kills `service` under load, waits until it is healthy again, and lets the client go on for a moment. */
  async function crashUnderLoad(service: string, mode: Mode): Promise<SteadyClient> {
    const client = new SteadyClient(stack.url('data'), mode);
    await sleep(1500);
    const downMs = await stack.crash(service);
    const contentMs = await stack.untilContent(service, PATIENCE_MS);
    await sleep(1500);
    await client.stop();
    report.add(
      `${service} killed`,
      `no process for ${seconds(downMs)}, health check content ${seconds(contentMs)} later`,
      `${client.answers.length} requests (${mode}), ${client.broken.length} failed`,
    );
    expect(client.answers.length).toBeGreaterThan(20);
    return client;
  }

  it('comes up whatever starts first, every container healthy', async () => {
    await stack.start(...OUR_SERVICES);
    await waitFor('services alive without NATS, Redis and engines', 60_000, async () => {
      for (const service of OUR_SERVICES) await stack.getAdmin(service, '/healthz');
      return true;
    });
    const started = performance.now();
    await stack.start();
    await stack.untilHealthy(PATIENCE_MS);
    const tookMs = performance.now() - started;
    const containers = await stack.containers();
    report.add(
      'Start',
      'services first, then nats, redis, engines and Prometheus',
      `every one of ${containers.length} containers healthy after ${seconds(tookMs)}: ${containers.map(({ service }) => service).join(', ')}`,
    );
    expect(containers.map(({ service }) => service).sort()).toEqual([...EVERYTHING].sort());
    expect(containers.filter(({ restarts }) => restarts > 0)).toEqual([]);
  }, 400_000);

  it('runs our images as a user, on a read-only root, on ports of this machine alone', async () => {
    const containers = await stack.containers();
    expect(containers.filter(({ readOnlyRoot }) => !readOnlyRoot)).toEqual([]);
    const ours = containers.filter(({ image }) => image.startsWith('sluice/'));
    expect(ours.map(({ user }) => user)).toEqual(ours.map(() => '1000:1000'));
    expect(new Set(containers.flatMap(({ hostAddresses }) => hostAddresses))).toEqual(new Set(['127.0.0.1']));
  });

  it('streams an answer through the router', async () => {
    const answer = await post(`${stack.url('data')}/v1/chat/completions`, {
      model: MODEL,
      stream: true,
      max_tokens: 32,
      ignore_eos: true,
      messages: [{ role: 'user', content: 'What is a prefix cache?' }],
    });
    expect(answer.complete).toBe(true);
    expect(ENGINES).toContain(answer.headers.get('x-sluice-worker'));
    expect(sseEvents(answer.text).length).toBeGreaterThan(30);
    report.add(
      'First streamed answer',
      `first byte after ${answer.firstByteMs!.toFixed(0)} ms, complete after ${answer.totalMs.toFixed(0)} ms`,
    );
  });

  it('hears the KV events of all four engines, and routes by prefix', async () => {
    const { ranks } = await stack.getAdmin<{ ranks: { worker: string; state: string }[] }>('event-bridge', '/ranks');
    expect(ranks.map(({ worker, state }) => `${worker} ${state}`).sort()).toEqual(
      ENGINES.map((name) => `${name} live`),
    );
    await expectPrefixRouting('before anything was killed');
  });

  it('is scraped by Prometheus, every target up, every rule loaded', async () => {
    const targets = await expectAllTargetsUp();
    for (const name of [...OUR_SERVICES, ...ENGINES]) {
      expect(targets.some((target) => target.startsWith(`${name}:`))).toBe(true);
    }
    interface Group {
      readonly rules: readonly { readonly name: string; readonly health: string }[];
    }
    const { data } = await stack.getAdmin<{ data: { groups: Group[] } }>('prometheus', '/api/v1/rules');
    const rules = data.groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThan(0);
    expect(rules.filter(({ health }) => health === 'err')).toEqual([]);
    report.add('Prometheus', `${targets.length} targets up: ${targets.join(', ')}`, `${rules.length} rules loaded`);
  }, 60_000);

  it('serves the console, with the admin APIs below it', async () => {
    expect(await (await fetch(`${stack.url('console')}/`)).text()).toContain('<html');
    const { workers } = await stack.getAdmin<{ workers: { worker: string }[] }>('console', '/router/workers');
    expect(workers.map(({ worker }) => worker).sort()).toEqual([...ENGINES]);
  });

  it.each(['kv-index', 'latency-predictor', 'event-bridge', 'console', 'nats', 'redis', 'prometheus'])(
    '%s is killed under load: it comes back, and no request fails',
    async (service) => {
      const client = await crashUnderLoad(service, 'both');
      expect(client.broken.map(describeBroken)).toEqual([]);
    },
    400_000,
  );

  it('an engine is killed under load: whole answers are tried elsewhere, and none fails', async () => {
    const client = await crashUnderLoad('engine-2', 'whole answers');
    expect(client.broken.map(describeBroken)).toEqual([]);
  }, 400_000);

  it('an engine is killed under load: streams that it had begun end in an error, and no others', async () => {
    const client = await crashUnderLoad('engine-3', 'streams');
    const workers = new Set(client.broken.map(({ answer }) => answer.headers.get('x-sluice-worker')));
    expect([...workers].filter((worker) => worker !== 'engine-3')).toEqual([]);
  }, 400_000);

  it('an engine is restarted under load: its streams end in peace, and none fails', async () => {
    const client = new SteadyClient(stack.url('data'), 'streams');
    await sleep(1000);
    await stack.restart('engine-4');
    await stack.untilContent('engine-4', PATIENCE_MS);
    await client.stop();
    report.add('engine-4 restarted', `${client.answers.length} streams, ${client.broken.length} failed`);
    expect(client.broken.map(describeBroken)).toEqual([]);
  }, 400_000);

  it('the router is killed under load: it comes back and knows what it knew', async () => {
    const client = await crashUnderLoad('router', 'both');
    report.add(
      'While the router was gone',
      `requests failed that were sent within ${seconds(client.outageMs)}; two routers and a balancer close that gap`,
    );
    expect(client.answers.at(-1)!.answer.complete).toBe(true);
    await untilRouterFollows(stack, 10_000);
    await expectPrefixRouting('after everything was killed once');
    await expectAllTargetsUp();
  }, 400_000);

  it('stops within its time, the streams that are open finished', async () => {
    const streams = Array.from({ length: 4 }, (_, i) =>
      post(`${stack.url('data')}/v1/chat/completions`, {
        model: MODEL,
        stream: true,
        max_tokens: 400,
        ignore_eos: true,
        messages: [{ role: 'user', content: `a long answer, please: ${i}` }],
      }),
    );
    await waitFor('streams in flight', 5000, async () => {
      const { workers } = await stack.getAdmin<{ workers: { inflightRequests: number }[] }>('router', '/workers');
      return workers.reduce((sum, worker) => sum + worker.inflightRequests, 0) === streams.length;
    });
    const started = performance.now();
    await stack.stop();
    const tookMs = performance.now() - started;
    expect((await Promise.all(streams)).map(({ complete }) => complete)).toEqual(streams.map(() => true));
    const ours = (await stack.containers()).filter(({ image }) => image.startsWith('sluice/'));
    expect(ours.map(({ service, exitCode }) => `${service} ${exitCode}`)).toEqual(
      ours.map(({ service }) => `${service} 0`),
    );
    report.add(
      'Stop',
      `all containers stopped in ${seconds(tookMs)}, ours with exit code 0, ${streams.length} open streams finished`,
    );
  }, 400_000);
});

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
