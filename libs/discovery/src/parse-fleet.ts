import { isId, poolId, workerId } from '@sluice/model';
import type { Fleet, KvEventSource, PoolSpec, Role, WorkerSpec } from '@sluice/model';
import { isAbsolute, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { ENDPOINT_FORM, isEndpoint, isOrigin, ORIGIN_FORM, rankEndpoint } from './endpoint.ts';
import { FieldReader, Problems } from './field-reader.ts';

export type ParsedFleet =
  { readonly ok: true; readonly fleet: Fleet } | { readonly ok: false; readonly errors: string[] };

export interface ParseFleetOptions {
  /** Folder that relative tokenizer folders are relative to. */
  readonly baseDir: string;
  /** Version of the resulting fleet; a larger one is newer. */
  readonly version: number;
}

const ID_FORM = "must be 1 to 63 letters, digits, '-' or '_', starting with a letter or digit";
/** Stands for an id that is wrong; it is never seen, since the result is an error then. */
const UNNAMED = 'unnamed';
const MAX_RANKS = 512;
const MAX_ALIASES = 100;
const ROLES: readonly Role[] = ['prefill', 'decode', 'both'];

/** A fleet from the text of a fleet file (YAML or JSON, see docs/fleet-file.md), or everything that is wrong with it. */
export function parseFleet(text: string, options: ParseFleetOptions): ParsedFleet {
  const document = parseDocument(text, { prettyErrors: true });
  if (document.errors.length > 0) return { ok: false, errors: document.errors.map((e) => e.message.split('\n')[0]!) };
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    // An alias that names nothing, or aliases that multiply without end.
    return { ok: false, errors: [error instanceof Error ? error.message : String(error)] };
  }
  const problems = new Problems();
  const reader = new FleetReader(problems, options.baseDir);
  const fleet = reader.fleet(content, options.version);
  return problems.errors.length > 0 ? { ok: false, errors: problems.errors } : { ok: true, fleet };
}

class FleetReader {
  readonly #problems: Problems;
  readonly #baseDir: string;
  /** Where each name was first used, by kind of name. */
  readonly #seen = new Map<string, string>();

  constructor(problems: Problems, baseDir: string) {
    this.#problems = problems;
    this.#baseDir = baseDir;
  }

  fleet(value: unknown, version: number): Fleet {
    const file = new FieldReader(this.#problems, '', value, ['version', 'pools']);
    if (file.raw('version') !== 1) file.problem('version', 'must be 1');
    const workers: WorkerSpec[] = [];
    const pools = file.list('pools', 'pools').map((pool, i) => this.#pool(pool, `pools[${i}]`, workers));
    return { version, pools, workers };
  }

  #pool(value: unknown, path: string, workers: WorkerSpec[]): PoolSpec {
    const pool = new FieldReader(this.#problems, path, value, ['id', 'models', 'loras', 'tokenizer', 'engines']);
    const id = this.#id(pool, 'pool');
    const models = pool.strings('models', true);
    const loras = pool.strings('loras', false);
    if (models[0] !== undefined && loras.includes(models[0])) {
      this.#problems.add(pool.at('models[0]'), models[0], 'is the base model and cannot be in loras too');
    }
    const names = [...models, ...loras.filter((lora) => !models.includes(lora))];
    for (const name of names) {
      const field = models.includes(name) ? `models[${models.indexOf(name)}]` : `loras[${loras.indexOf(name)}]`;
      this.#unique('model', name, pool.at(field), 'names one pool only');
    }
    const tokenizer = pool.stringOrNull('tokenizer', 'must be a folder or null');
    pool.list('engines', 'engines').forEach((engine, i) => {
      this.#engine(engine, pool.at(`engines[${i}]`), id, workers);
    });
    return {
      id: poolId(id ?? UNNAMED),
      models: names,
      loras,
      tokenizer: tokenizer === null || isAbsolute(tokenizer) ? tokenizer : resolve(this.#baseDir, tokenizer),
    };
  }

  #engine(value: unknown, path: string, pool: string | null, workers: WorkerSpec[]): void {
    const known = ['id', 'url', 'ranks', 'role', 'variant', 'kvEvents'];
    const engine = new FieldReader(this.#problems, path, value, known);
    const id = this.#id(engine, 'engine');
    const url = engine.string('url', ORIGIN_FORM, isOrigin);
    if (url !== '') this.#unique('url', new URL(url).origin, engine.at('url'), 'belongs to one engine only');
    const ranks = engine.integer('ranks', 1, MAX_RANKS, 1);
    const role = engine.oneOf('role', ROLES, 'both');
    const variant = engine.string('variant', ID_FORM, isId, 'default');
    const events = this.#events(engine, ranks);
    if (id === null) return;
    for (let rank = 0; rank < ranks; rank++) {
      const name = ranks === 1 ? id : `${id}-dp${rank}`;
      if (!isId(name)) {
        engine.problem('id', `makes the worker id '${name}', which ${ID_FORM}`);
        return;
      }
      this.#unique('worker', name, engine.at('id'), 'makes a worker id that is taken');
      workers.push({
        id: workerId(name),
        pool: poolId(pool ?? UNNAMED),
        engine: id,
        url: url === '' ? '' : new URL(url).origin,
        dpRank: ranks === 1 ? null : rank,
        role,
        variant,
        kvEvents: events[rank] ?? null,
      });
    }
  }

  /** Event sources by rank; empty when the engine publishes none. */
  #events(engine: FieldReader, ranks: number): KvEventSource[] {
    const value = engine.raw('kvEvents');
    if (value === undefined || value === null) return [];
    const events = new FieldReader(this.#problems, engine.at('kvEvents'), value, [
      'mode',
      'endpoint',
      'replay',
      'topic',
    ]);
    const mode = events.oneOf('mode', ['connect', 'bind'] as const, 'connect');
    const endpoint = events.string('endpoint', ENDPOINT_FORM, isEndpoint);
    const replay = events.stringOrNull('replay', `${ENDPOINT_FORM}, or null`, isEndpoint);
    const topic = events.raw('topic') ?? '';
    if (typeof topic !== 'string') events.problem('topic', 'must be a string');
    if (mode === 'connect' && endpoint.startsWith('tcp://*')) {
      events.problem('endpoint', 'must name a host when mode is connect');
    }
    if (replay?.startsWith('tcp://*')) events.problem('replay', 'must name a host');

    const sources: KvEventSource[] = [];
    for (let rank = 0; rank < ranks; rank++) {
      const own = rankEndpoint(endpoint, rank);
      const ownReplay = replay === null ? null : rankEndpoint(replay, rank);
      if (own === null)
        events.problem('endpoint', `has no address for rank ${rank}: ranks add to a tcp port up to 65535`);
      if (replay !== null && ownReplay === null) {
        events.problem('replay', `has no address for rank ${rank}: ranks add to a tcp port up to 65535`);
      }
      if (own === null || (replay !== null && ownReplay === null)) break;
      if (own !== '') this.#unique('endpoint', own, events.at('endpoint'), 'is the address of one rank only');
      if (ownReplay) this.#unique('endpoint', ownReplay, events.at('replay'), 'is the address of one rank only');
      sources.push({ mode, endpoint: own, replayEndpoint: ownReplay, topic: String(topic) });
    }
    return sources;
  }

  /** The id, or null after saying why it cannot be used. */
  #id(reader: FieldReader, kind: 'pool' | 'engine'): string | null {
    const id = reader.string('id', ID_FORM, isId);
    if (id === '') return null;
    return this.#unique(kind, id, reader.at('id'), `is the id of one ${kind} only`) ? id : null;
  }

  /** Whether `name` was not used before at another place; tells it when it was. */
  #unique(kind: string, name: string, path: string, rule: string): boolean {
    const key = `${kind} ${name}`;
    const first = this.#seen.get(key);
    if (first === undefined) this.#seen.set(key, path);
    else if (first !== path) this.#problems.add(path, name, `is also at ${first}; it ${rule}`);
    return first === undefined || first === path;
  }
}
