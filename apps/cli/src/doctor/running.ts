import { access as accessFile } from 'node:fs/promises';
import type { IndexReplica, RanksView, ServiceStatus, WorkersView } from '@sluice/contracts';
import { AdminClient, AdminError } from '../admin-client.ts';
import { duration } from '../numbers.ts';
import { finding } from './finding.ts';
import type { Examined, Finding, Report } from './finding.ts';
import type { NamedEngine } from './target.ts';

/** Engines are read several times a second: numbers of this age mean that it does not work. */
const STALE_MS = 10_000;
const LATE_MS = 10_000;

/** A running Sluice, as its admin APIs have it. */
export interface RunningReport extends Report {
  /** Engines of its fleet. */
  readonly engines: readonly NamedEngine[];
}

/** Asks every admin API for what its services say is wrong. */
export async function examineRunning(origins: readonly string[], token: string | null): Promise<RunningReport> {
  const reports = await Promise.all(origins.map((origin) => examineAdmin(origin, token)));
  return {
    examined: reports.flatMap(({ examined }) => examined),
    findings: reports.flatMap(({ findings }) => findings),
    engines: distinctEngines(reports.flatMap(({ engines }) => engines)),
  };
}

/** Several routers have the same fleet: of two addresses of one engine, the second is told of by the router that has it. */
const distinctEngines = (engines: readonly NamedEngine[]): NamedEngine[] => {
  const found = new Map<string, NamedEngine>();
  for (const engine of engines) if (!found.has(engine.id)) found.set(engine.id, engine);
  return [...found.values()];
};

async function examineAdmin(origin: string, token: string | null): Promise<RunningReport> {
  try {
    const client = await AdminClient.connect(origin, token);
    const findings: Finding[] = [];
    const engines: NamedEngine[] = [];
    for (const [service, status] of client.services) findings.push(...readinessFindings(service, status));
    for (const router of client.routers.filter((name) => client.isReached(name))) {
      const [workers, index] = await Promise.all([
        client.get<WorkersView>(router, '/workers'),
        client.get<IndexReplica>(router, '/index'),
      ]);
      findings.push(...routerFindings(workers, index, client.routers.length > 1 ? `${router}: ` : ''));
      engines.push(...(await enginesOf(workers, index)));
    }
    if (client.services.has('event-bridge') && client.isReached('event-bridge')) {
      findings.push(...feedFindings(await client.get<RanksView>('event-bridge', '/ranks')));
    }
    const names = [...client.services.keys()].join(', ');
    const examined: Examined[] = [{ subject: `admin ${origin}`, summary: names }];
    return { examined, findings, engines };
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    const fix =
      error.status === 401
        ? 'a token that may read: --token TOKEN, or SLUICE_ADMIN_TOKEN'
        : 'start Sluice (`sluice up`), or give the port that it printed as "admin"; to examine engines before the start: --engine URL, or --fleet FILE';
    return {
      examined: [],
      findings: [finding('admin-unreachable', `admin ${origin}`, error.message, fix)],
      engines: [],
    };
  }
}

/** What to do when a check of a service fails, by the name of the check. */
const FIXES: Readonly<Record<string, string>> = {
  bus: 'is NATS running and SLUICE_NATS_URL right? `sluice doctor --nats URL` says more',
  siblings: 'as for the bus: `sluice doctor --nats URL` says more',
  store: 'is Redis running and SLUICE_REDIS_URL right? `sluice doctor --redis URL` says more',
  index: 'do event-bridge and kv-index run? `sluice doctor --admin URL` of each says what their events lack',
  ranks: 'its log says why its bus or its readers did not start',
  dataPlane: 'is ROUTER_PORT taken? The log of the router says why it did not open',
  reached: 'does it run, and is its address in CONSOLE_SERVICES of the console right?',
  drain: 'it is shutting down: start it again if that was not meant',
};
const WORKERS_FIXES: Readonly<Record<string, string>> = {
  router: 'no engine answers: `sluice workers` says why',
  'kv-index': 'it has not heard of the workers yet: does the event-bridge run, on the same NATS?',
};

function readinessFindings(service: string, { ready, checks }: ServiceStatus): Finding[] {
  return (
    Object.entries(checks)
      // Pools without a tokenizer have findings of their own.
      .filter(([check, { ok }]) => !ok && check !== 'tokenizers')
      .map(([check, { detail }]) =>
        finding(
          ready ? 'service-degraded' : 'service-not-ready',
          service,
          `its check '${check}' fails: ${detail}`,
          (check === 'workers' ? WORKERS_FIXES[service.startsWith('router') ? 'router' : service] : FIXES[check]) ??
            'the log of the service says more; SLUICE_LOG_LEVEL=debug makes it say most',
        ),
      )
  );
}

/** @param by put before what is found, to say of which router it is where there are several */
function routerFindings({ workers }: WorkersView, index: IndexReplica, by: string): Finding[] {
  const down = workers
    .filter(({ up }) => !up)
    .map(({ worker, url, reason, state }) =>
      finding(
        'worker-down',
        `worker ${worker}`,
        `${by}takes no requests: ${reason === '' ? state : reason}`,
        `curl ${url}/health and the log of the engine; the router tries it again by itself`,
      ),
    );
  const stale = workers
    .filter(({ up, signalAgeMs }) => up && (signalAgeMs === null || signalAgeMs > STALE_MS))
    .map(({ worker, url, signalAgeMs }) =>
      finding(
        'signals-stale',
        `worker ${worker}`,
        signalAgeMs === null
          ? `${by}its load was never read from /metrics`
          : `${by}its load was last read from /metrics ${duration(signalAgeMs)} ago`,
        `curl ${url}/metrics: vLLM without --disable-log-stats, SGLang with --enable-metrics`,
      ),
    );
  const approximate = index.pools
    .filter(({ exact }) => !exact)
    .map(({ pool, reason }) =>
      finding(
        'prompts-approximate',
        `pool ${pool}`,
        `${by}prompts are matched by text that was routed before: ${reason}`,
        'tokenizer: DIR of the pool in the fleet file, with tokenizer.json, tokenizer_config.json and the chat template',
      ),
    );
  return [...down, ...stale, ...approximate];
}

function feedFindings({ ranks }: RanksView): Finding[] {
  return ranks.flatMap((rank): Finding[] => {
    const subject = `events of ${rank.worker}`;
    if (rank.state === 'unread') {
      const fix =
        'kvEvents of the engine and tokenizer of the pool in the fleet file; `sluice doctor --fleet FILE` says more';
      return [finding('feed-unread', subject, `are not read: ${rank.reason}`, fix)];
    }
    const findings: Finding[] = [];
    if (rank.state === 'waiting') {
      const fix = 'is the address right, and does the engine bind it? `sluice doctor --fleet FILE` tries';
      findings.push(finding('feed-waiting', subject, 'never came, and no replay was answered', fix));
    }
    if (rank.state === 'disconnected') {
      const fix =
        'is the engine up? if it is, the network from event-bridge to its event port; it is read again by itself';
      findings.push(finding('feed-disconnected', subject, 'stopped: the connection to the engine was lost', fix));
    }
    if (rank.state === 'incomplete') {
      const fix =
        '"replay_endpoint":"tcp://*:5558" in --kv-events-config and replay: tcp://HOST:5558 in kvEvents; else it heals as old blocks are evicted';
      findings.push(
        finding('feed-incomplete', subject, 'lack history: blocks may be cached that nobody knows of', fix),
      );
    }
    const { otherRank = 0, unknownEvents = 0 } = rank.counters;
    if (otherRank > 0) {
      const fix =
        'vLLM adds the rank to the ports: give the addresses of rank 0, with the replay port at least as many ports away as there are ranks';
      findings.push(finding('events-other-rank', subject, `${otherRank} batches came from another rank's engine`, fix));
    }
    if (unknownEvents > 0) {
      const fix = 'an engine version that Sluice does not know: look for a newer Sluice, and say which engine it is';
      findings.push(finding('events-unknown', subject, `${unknownEvents} were of no known form`, fix));
    }
    if (rank.lagMs > LATE_MS) {
      const fix = 'keep the clocks of engine and bridge with NTP; if they agree, the bridge is overloaded';
      findings.push(
        finding(
          'feed-late',
          subject,
          `arrive ${duration(rank.lagMs)} after the engine's clock says that they were made`,
          fix,
        ),
      );
    }
    return findings;
  });
}

/** The fleet of a router by engines; a tokenizer folder that is on another machine is left out. */
async function enginesOf({ workers }: WorkersView, { pools }: IndexReplica): Promise<NamedEngine[]> {
  const here = new Map<string, string>();
  for (const { pool, tokenizer } of pools) {
    const found =
      tokenizer !== null &&
      (await accessFile(tokenizer).then(
        () => true,
        () => false,
      ));
    if (found) here.set(pool, tokenizer);
  }
  const engines = new Map<string, NamedEngine>();
  for (const { worker, pool, url, dpRank, variant } of workers) {
    const ranks = Math.max((dpRank ?? 0) + 1, engines.get(url)?.ranks ?? 0);
    const id = dpRank === null ? worker : worker.replace(/-dp\d+$/, '');
    engines.set(url, { id, url, pool, variant, ranks, tokenizer: here.get(pool) ?? null });
  }
  return [...engines.values()];
}
