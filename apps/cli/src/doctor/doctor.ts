import { randomBytes } from 'node:crypto';
import type { PromptKit } from '@sluice/prompt';
import type { Speaker } from '../speaker.ts';
import { comparisonFindings } from './engine/compare-engines.ts';
import { examineEngine } from './engine/examine-engine.ts';
import type { ExaminedEngine } from './engine/examine-engine.ts';
import { openTokenizer } from './engine/tokenizer-findings.ts';
import type { Finding, Report } from './finding.ts';
import { enginesOf } from './fleet-engine.ts';
import type { FleetEngine } from './fleet-engine.ts';
import { reportPage } from './page.ts';
import { examineRunning } from './running.ts';
import { examineNats } from './servers/nats.ts';
import { examineRedis } from './servers/redis.ts';
import { fleetOfEngines, fleetOfFile } from './target.ts';
import type { Origin, Target } from './target.ts';

export interface DoctorOptions {
  /** Fleet file to examine; null: none. */
  readonly fleet: string | null;
  /** Engines to examine that no fleet file names. */
  readonly engine: readonly string[];
  /** Tokenizer folder of those. */
  readonly tokenizer: string | null;
  /** Admin APIs of a running Sluice. */
  readonly admin: readonly string[];
  readonly token: string | null;
  readonly nats: string | null;
  readonly redis: string | null;
  /** Key that engines ask for. */
  readonly apiKey: string | null;
  /** Patience with each server, milliseconds. */
  readonly timeoutMs: number;
  /** Send no request to engines. */
  readonly passive: boolean;
  /** Warnings count as failures. */
  readonly strict: boolean;
  readonly json: boolean;
}

/** Engines that are examined at a time. */
const AT_A_TIME = 16;

/** Examines what the options name and prints what is wrong with it, each with its fix. Returns whether nothing is. */
export async function doctor(options: DoctorOptions, speaker: Speaker): Promise<boolean> {
  const report = await examine(options);
  const failing = options.strict ? report.findings : report.findings.filter(({ severity }) => severity === 'error');
  const healthy = failing.length === 0;
  if (options.json) speaker.out.write(`${JSON.stringify({ healthy, ...report }, null, 2)}\n`);
  else speaker.out.write(reportPage(report, speaker));
  return healthy;
}

async function examine(options: DoctorOptions): Promise<Report> {
  const [running, nats, redis] = await Promise.all([
    examineRunning(options.admin, options.token),
    options.nats === null ? null : examineNats(options.nats, options.timeoutMs),
    options.redis === null ? null : examineRedis(options.redis, options.timeoutMs),
  ]);
  const targets = await targetsOf(options, running.engines);
  const fleets = await Promise.all(targets.map((target) => examineTarget(target, options)));
  const reports = [running, nats, redis, ...fleets].filter((report) => report !== null);
  return {
    examined: reports.flatMap(({ examined }) => examined),
    findings: distinct(reports.flatMap(({ findings }) => findings)),
  };
}

/** What was named on the command line; only when that is nothing, the fleet of the running Sluice. */
async function targetsOf(
  { fleet, engine, tokenizer, timeoutMs, apiKey }: DoctorOptions,
  running: Awaited<ReturnType<typeof examineRunning>>['engines'],
): Promise<Target[]> {
  const access = { timeoutMs, apiKey };
  const targets: Target[] = [];
  if (fleet !== null) targets.push(await fleetOfFile(fleet));
  if (engine.length > 0) {
    const named = engine.map((url, i) => ({
      ...{ id: `engine-${i + 1}`, url, pool: null, variant: 'default', ranks: null },
      tokenizer,
    }));
    targets.push(await fleetOfEngines(named, 'command', access));
  }
  if (targets.length === 0 && running.length > 0) targets.push(await fleetOfEngines(running, 'running', access));
  return targets;
}

async function examineTarget({ origin, fleet, findings }: Target, options: DoctorOptions): Promise<Report> {
  if (fleet === null) return { examined: [], findings };
  const kits = new Map<string, PromptKit | null>();
  const tokenizers: Finding[] = [];
  for (const pool of fleet.pools) {
    const opened = await openTokenizer(pool, origin);
    kits.set(pool.id, opened.kit);
    tokenizers.push(...opened.findings);
  }
  const nonce = randomBytes(4).toString('hex');
  const engines = await limited(enginesOf(fleet), AT_A_TIME, (engine) =>
    examineEngine(engine, kits.get(engine.pool.id) ?? null, {
      access: { timeoutMs: options.timeoutMs, apiKey: options.apiKey },
      probe: !options.passive,
      derived: origin !== 'file',
      nonce,
    }),
  );
  const answered = engines.flatMap(({ engine, facts }) => (facts === null ? [] : [{ engine, facts }]));
  return {
    examined: engines.map(({ examined }) => examined),
    findings: [
      ...findings,
      ...tokenizers,
      ...engines.flatMap((engine) => relevant(engine, origin)),
      ...comparisonFindings(answered),
    ],
  };
}

/** Of a running Sluice's engines, the event streams that only one can have are told of by its event bridge. */
const HELD_BY_BRIDGE = new Set(['events-address-taken', 'events-engine-connects', 'events-unreachable']);

const relevant = ({ engine, findings }: ExaminedEngine, origin: Origin): readonly Finding[] =>
  origin === 'running' && bindsHere(engine) ? findings.filter(({ code }) => !HELD_BY_BRIDGE.has(code)) : findings;

const bindsHere = ({ workers }: FleetEngine): boolean => workers.some(({ kvEvents }) => kvEvents?.mode === 'bind');

/** The same mistake seen from two sides is one. */
const distinct = (findings: readonly Finding[]): Finding[] => [
  ...new Map(findings.map((each) => [`${each.code}\n${each.subject}\n${each.what}`, each])).values(),
];

async function limited<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i]!);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
