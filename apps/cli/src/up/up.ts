import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseFleet } from '@sluice/discovery';
import type { Fleet } from '@sluice/model';
import { type Child, freePorts, isPortFree, startNats, startRedis } from '@sluice/process';
import { appFile, startApp, startSimulatedEngines, untilAnswers } from './apps.ts';
import { fleetText } from './fleet-text.ts';
import { type ProbedEngine, probeEngine } from './probe-engine.ts';
import { SERVICES } from './services.ts';
import { Supervisor } from './supervisor.ts';

export interface UpOptions {
  readonly engine: readonly string[];
  readonly tokenizer?: string;
  /** That the engines ask for; null: none. Only used to ask them about themselves. */
  readonly apiKey: string | null;
  readonly fleet?: string;
  readonly engines: number;
  readonly profile: string;
  readonly speed: number;
  readonly policy: string;
  readonly port: number;
  readonly adminPort: number;
  readonly services: boolean;
  readonly verbose: boolean;
  /** One line of JSON on stdout when it is ready; all else goes to stderr. */
  readonly json: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

const SIMULATED_MODEL = 'sim';
type Print = (line: string) => void;
const toStdout: Print = (line) => void process.stdout.write(`${line}\n`);
const toStderr: Print = (line) => void process.stderr.write(`${line}\n`);

/** Starts everything, says how to use it, and runs until it is told to stop. Returns the exit code. */
export async function runUp(options: UpOptions, env: Environment): Promise<number> {
  const print = options.json ? toStderr : toStdout;
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  const supervisor = new Supervisor(print, options.verbose);
  supervisor.handleSignals();
  supervisor.followNpm(env['npm_lifecycle_event'] !== undefined);
  try {
    await mustBeFree(options);
    const fleetPath = await prepareFleet(options, env, folder, supervisor, print);
    const fleet = await readFleet(fleetPath);
    const base = {
      ...env,
      SLUICE_FLEET: fleetPath,
      ROUTER_POLICY: options.policy,
      SLUICE_LOG_LEVEL: env['SLUICE_LOG_LEVEL'] ?? 'warn',
    };
    const urls = options.services
      ? await startServices(options, base, folder, supervisor)
      : await startStandalone(options, base, supervisor);
    if (options.json) toStdout(readyLine(fleet, urls));
    else announce(options, fleet, urls);
    return await supervisor.untilStopped();
  } catch (error) {
    if (!supervisor.stopping) process.stderr.write(`sluice up: ${(error as Error).message}\n`);
    return supervisor.stopping ? 0 : 1;
  } finally {
    await supervisor.stopAll();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whoever has the ports already would answer in the place of what is started here. */
async function mustBeFree({ port, adminPort }: UpOptions): Promise<void> {
  const wanted = [
    ['--port', port],
    ['--admin-port', adminPort],
  ] as const;
  const taken: (typeof wanted)[number][] = [];
  for (const each of wanted) if (!(await isPortFree(each[1]))) taken.push(each);
  if (taken.length === 0) return;
  const ports = taken.map(([, number]) => number).join(' and ');
  const which = taken.length === 1 ? `port ${ports} is taken` : `ports ${ports} are taken`;
  const others = taken.length === 1 ? 'another' : 'others';
  const options = taken.map(([option]) => option).join(' and ');
  throw new Error(`${which}, perhaps by another 'sluice up': choose ${others} with ${options}`);
}

/** Path of the fleet file to use: the user's, or one written for the given or the simulated engines. */
async function prepareFleet(
  options: UpOptions,
  env: Environment,
  folder: string,
  supervisor: Supervisor,
  print: Print,
): Promise<string> {
  if (options.fleet !== undefined) return resolve(options.fleet);
  let urls = options.engine;
  let tokenizer = options.tokenizer === undefined ? null : resolve(options.tokenizer);
  if (urls.length === 0) {
    print(`starting ${options.engines} simulated engines (${options.profile}, ${options.speed} times real speed)`);
    const { count, model, profile, speed } = {
      count: options.engines,
      model: SIMULATED_MODEL,
      profile: options.profile,
      speed: options.speed,
    };
    const traced = tracedByRouter(options, env);
    const simulated = await startSimulatedEngines({ count, model, profile, speed }, traced, supervisor.onLine);
    for (const child of simulated.children) supervisor.add(child, 'engine');
    urls = simulated.urls;
    tokenizer ??= appFile('engine-sim', 'assets/tokenizer');
  }
  const engines = await Promise.all(urls.map((url) => mustProbe(url, options.apiKey, print)));
  if (tokenizer === null)
    print('no --tokenizer given: prefixes are matched by text this router has seen, not by what the engines report');
  const names = urls.map((_url, i) => (options.engine.length === 0 ? `sim-${i + 1}` : `engine-${i + 1}`));
  const path = join(folder, 'fleet.json');
  await writeFile(path, fleetText(engines, names, tokenizer));
  return path;
}

/**
 * Where no receiver of spans is named, simulated engines send theirs to the router, so that `sluice trace` shows them. Where
 * no trace begins yet they go on with those that the router begins once it is told to.
 */
function tracedByRouter({ adminPort, services }: UpOptions, env: Environment): Environment {
  const named = env['OTEL_EXPORTER_OTLP_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
  if (named || env['OTEL_TRACES_EXPORTER']) return env;
  const sampler = env['OTEL_TRACES_SAMPLER'] || 'always_off';
  return {
    ...env,
    OTEL_TRACES_SAMPLER: sampler === 'always_off' ? 'parentbased_always_off' : sampler,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${adminPort}${services ? '' : '/router'}/v1/traces`,
    OTEL_BSP_SCHEDULE_DELAY: env['OTEL_BSP_SCHEDULE_DELAY'] || '500',
  };
}

async function mustProbe(url: string, apiKey: string | null, print: Print): Promise<ProbedEngine> {
  const probe = await probeEngine(url, 5000, apiKey);
  if (probe.kind === 'unauthorized') {
    const how = '--api-key KEY, or VLLM_API_KEY in the environment; a fleet file needs none';
    throw new Error(`${url} ${apiKey === null ? 'wants a key' : 'wants another key than it was given'}: ${how}`);
  }
  if (probe.kind !== 'engine')
    throw new Error(`${url} ${probe.kind === 'unreachable' ? 'does not answer' : 'is no engine'}: ${probe.reason}`);
  if (probe.engine.kvEvents === null) {
    print(
      `${url} publishes no KV events (start vLLM with --kv-events-config): its cache is only guessed from what is sent to it`,
    );
  }
  return probe.engine;
}

async function readFleet(path: string): Promise<Fleet> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new Error(`cannot read the fleet file: ${error.message}`);
  });
  const parsed = parseFleet(text, { baseDir: dirname(path), version: 1 });
  if (!parsed.ok) throw new Error(`${path} is no valid fleet file:\n  ${parsed.errors.join('\n  ')}`);
  return parsed.fleet;
}

interface Urls {
  readonly data: string;
  readonly console: string;
  readonly admin: readonly (readonly [service: string, url: string])[];
}

async function startStandalone(options: UpOptions, env: Environment, supervisor: Supervisor): Promise<Urls> {
  const ports = { SLUICE_PORT: String(options.port), SLUICE_ADMIN_PORT: String(options.adminPort) };
  const child = startApp('sluice', 'standalone', [], { ...env, ...ports }, supervisor.onLine);
  supervisor.add(child, 'service');
  const admin = `http://127.0.0.1:${options.adminPort}`;
  await untilAnswers(`${admin}/readyz`, child, 45_000);
  return { data: `http://127.0.0.1:${options.port}`, console: `${admin}/`, admin: [['every service', admin]] };
}

async function startServices(
  options: UpOptions,
  env: Environment,
  folder: string,
  supervisor: Supervisor,
): Promise<Urls> {
  const servers = { ...env };
  const [natsPort, redisPort, consolePort, ...adminPorts] = await freePorts(3 + SERVICES.length);
  const server = { env, onLine: supervisor.onLine };
  if (!env['SLUICE_NATS_URL']) {
    supervisor.add(await startNats({ ...server, port: natsPort!, dataDir: join(folder, 'nats') }), 'server');
    servers['SLUICE_NATS_URL'] = `nats://127.0.0.1:${natsPort}`;
  }
  if (!env['SLUICE_REDIS_URL']) {
    supervisor.add(await startRedis({ ...server, port: redisPort!, dataDir: join(folder, 'redis') }), 'server');
    servers['SLUICE_REDIS_URL'] = `redis://127.0.0.1:${redisPort}`;
  }
  const admin: (readonly [string, string])[] = [];
  const started: [Child, string][] = [];
  SERVICES.forEach(({ name, prefix }, i) => {
    const port = name === 'router' ? options.adminPort : adminPorts[i]!;
    const ports: Record<string, string> = { [`${prefix}_ADMIN_PORT`]: String(port) };
    if (name === 'router') ports['ROUTER_PORT'] = String(options.port);
    const start = (): Child => startApp(name, name, [], { ...servers, ...ports }, supervisor.onLine);
    const child = start();
    supervisor.add(child, 'service', start);
    started.push([child, `http://127.0.0.1:${port}`]);
    admin.push([name, `http://127.0.0.1:${port}`]);
  });
  const page = startConsole(env['CONSOLE_PORT'] ?? String(consolePort), admin, env, supervisor);
  started.push([page.child, page.url]);
  await Promise.all(started.map(([child, url]) => untilAnswers(`${url}/readyz`, child, 45_000)));
  return { data: `http://127.0.0.1:${options.port}`, console: `${page.url}/`, admin };
}

/** The console as a process of its own, on the admin APIs of the services. */
function startConsole(port: string, admin: Urls['admin'], env: Environment, supervisor: Supervisor) {
  const services = env['CONSOLE_SERVICES'] ?? admin.map(([name, url]) => `${name}=${url}`).join(',');
  const own = { ...env, CONSOLE_PORT: port, CONSOLE_SERVICES: services };
  const child = startApp('console', 'console', [], own, supervisor.onLine);
  supervisor.add(child, 'page');
  return { child, url: `http://127.0.0.1:${port}` };
}

/** What `announce` tells people, for programs. */
function readyLine({ pools, workers }: Fleet, { data, admin, console }: Urls): string {
  return JSON.stringify({
    ready: true,
    data,
    admin: Object.fromEntries(admin),
    console,
    pools: pools.map(({ id, models }) => ({
      pool: id,
      models,
      workers: workers.filter(({ pool }) => pool === id).map(({ id: worker, url }) => ({ worker, url })),
    })),
  });
}

function announce(options: UpOptions, fleet: Fleet, urls: Urls): void {
  const print = toStdout;
  const model = fleet.pools[0]!.models[0]!;
  const body = {
    model,
    stream: true,
    max_tokens: 64,
    messages: [{ role: 'user', content: 'What is a prefix cache?' }],
  };
  print('');
  for (const pool of fleet.pools) {
    const workers = fleet.workers.filter((worker) => worker.pool === pool.id);
    print(`  ${pool.models.join(', ')}: ${workers.map((worker) => `${worker.id} ${worker.url}`).join(', ')}`);
  }
  print(`  policy ${options.policy}`);
  for (const [service, url] of urls.admin)
    print(`  admin of ${service}: ${url} (API: ${url}${urls.admin.length === 1 ? '/router' : ''}/docs)`);
  print(
    `  console: ${urls.console}${options.services ? ` (all of it for the command line too: --admin ${urls.console})` : ''}`,
  );
  const key = options.engine.length > 0 && options.apiKey !== null ? "-H 'authorization: Bearer KEY' " : '';
  print('\n  try:');
  print(
    `  curl -N ${urls.data}/v1/chat/completions ${key}-H 'content-type: application/json' -d '${JSON.stringify(body)}'\n`,
  );
  print(`ready  data plane ${urls.data}/v1  admin ${urls.admin.at(-1)![1]}`);
}
