import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseFleet } from '@sluice/discovery';
import type { Fleet } from '@sluice/model';
import { idFrom } from '../up/fleet-text.ts';
import { probeEngine } from '../up/probe-engine.ts';
import type { ProbedEngine } from '../up/probe-engine.ts';
import { askEngine } from './engine/ask-engine.ts';
import type { Access } from './engine/ask-engine.ts';
import { unansweredFindings } from './engine/http-findings.ts';
import { finding } from './finding.ts';
import type { Finding } from './finding.ts';

/** Where the names and addresses of engines are from: a fleet file, the command line, or a running Sluice. */
export type Origin = 'file' | 'command' | 'running';

/** Engines to examine; `fleet` is null when there are none that can be. */
export interface Target {
  readonly origin: Origin;
  readonly fleet: Fleet | null;
  readonly findings: readonly Finding[];
}

const HOW_TO_WRITE = 'docs/fleet-file.md has every key with an example';

/** The fleet of a fleet file. */
export async function fleetOfFile(path: string): Promise<Target> {
  const invalid = (what: string): Finding => finding('fleet-invalid', path, what, HOW_TO_WRITE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    return { origin: 'file', fleet: null, findings: [invalid(`cannot be read: ${(error as Error).message}`)] };
  }
  const parsed = parseFleet(text, { baseDir: dirname(resolve(path)), version: 1 });
  return parsed.ok
    ? { origin: 'file', fleet: parsed.fleet, findings: [] }
    : { origin: 'file', fleet: null, findings: parsed.errors.map(invalid) };
}

/** An engine by its address, with what is known of its place in a fleet. */
export interface NamedEngine {
  readonly id: string;
  readonly url: string;
  /** Null: engines with the same base model form a pool. */
  readonly pool: string | null;
  readonly variant: string;
  /** Null: as many as it has. */
  readonly ranks: number | null;
  readonly tokenizer: string | null;
}

/** The fleet that engines themselves declare, as `sluice up --engine` makes it; those that do not answer are findings. */
export async function fleetOfEngines(
  engines: readonly NamedEngine[],
  origin: 'command' | 'running',
  access: Access,
): Promise<Target> {
  const answers = await Promise.all(engines.map(({ url }) => probeEngine(url, access.timeoutMs, access.apiKey)));
  const pools = new Map<string, { named: NamedEngine; probed: ProbedEngine }[]>();
  const silent: NamedEngine[] = [];
  engines.forEach((named, i) => {
    const answer = answers[i]!;
    if (answer.kind !== 'engine') {
      silent.push(named);
      return;
    }
    const pool = named.pool ?? idFrom(answer.engine.models[0]!);
    pools.set(pool, [...(pools.get(pool) ?? []), { named, probed: answer.engine }]);
  });
  const findings = (await Promise.all(silent.map((named) => silentFindings(named, access)))).flat();
  if (pools.size === 0) return { origin, fleet: null, findings };
  const entries = [...pools].map(([id, members]) => ({
    id,
    models: [...new Set(members.flatMap(({ probed }) => probed.models))],
    loras: [...new Set(members.flatMap(({ probed }) => probed.loras))],
    tokenizer: members[0]!.named.tokenizer,
    engines: members.map(({ named, probed }) => ({
      id: named.id,
      url: named.url,
      variant: named.variant,
      ranks: named.ranks ?? probed.ranks,
      kvEvents: probed.kvEvents,
    })),
  }));
  const parsed = parseFleet(JSON.stringify({ version: 1, pools: entries }), { baseDir: process.cwd(), version: 1 });
  if (parsed.ok) return { origin, fleet: parsed.fleet, findings };
  const invalid = parsed.errors.map((error) =>
    finding(
      'fleet-invalid',
      'engines',
      `no fleet can be made of them: ${error}`,
      `write one and give it as --fleet: ${HOW_TO_WRITE}`,
    ),
  );
  return { origin, fleet: null, findings: [...findings, ...invalid] };
}

async function silentFindings({ id, url }: NamedEngine, access: Access): Promise<Finding[]> {
  const answer = await askEngine(url, access);
  return answer.kind === 'facts' ? [] : unansweredFindings(`engine ${id}`, url, answer);
}
