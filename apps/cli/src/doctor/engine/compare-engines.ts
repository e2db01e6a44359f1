import { finding } from '../finding.ts';
import type { Finding } from '../finding.ts';
import type { FleetEngine } from '../fleet-engine.ts';
import type { EngineFacts } from './ask-engine.ts';

export interface KnownEngine {
  readonly engine: FleetEngine;
  readonly facts: EngineFacts;
}

/** Settings that engines of one variant share: they decide how long a step takes and what fits. */
const SETTINGS = ['block_size', 'cache_dtype', 'prefix_caching_hash_algo', 'enable_prefix_caching', 'sliding_window'];
/** Memory that is left for KV differs a little from start to start. */
const KV_TOLERANCE = 0.1;

/** What engines that should be alike do not agree on: weights and blocks within a pool, settings within a variant. */
export function comparisonFindings(known: readonly KnownEngine[]): Finding[] {
  return [
    ...groupsOf(known, ({ engine }) => engine.pool.id).flatMap(([pool, engines]) => poolFindings(pool, engines)),
    ...groupsOf(known, ({ engine }) => `${engine.pool.id}\n${engine.variant}`).flatMap(([, engines]) =>
      variantFindings(engines),
    ),
  ];
}

function poolFindings(pool: string, engines: readonly KnownEngine[]): Finding[] {
  const findings: Finding[] = [];
  const weights = valuesOf(engines, ({ facts }) => weightsOf(facts));
  if (weights.size > 1) {
    const fix = 'a pool serves one model: make a pool for each, with names of its own in models';
    findings.push(
      finding('pool-mixed-models', `pool ${pool}`, `its engines serve different weights: ${said(weights)}`, fix),
    );
  }
  const blocks = valuesOf(engines, ({ facts }) => facts.cacheConfig?.['block_size'] ?? null);
  const apart = groupsOf(engines, ({ engine }) => engine.variant).length > 1;
  if (blocks.size > 1 && apart) {
    const fix = 'start all of them with the same --block-size';
    const what = `its engines cut prompts into blocks of different size, so each prefix is indexed once for every size: ${said(blocks)}`;
    findings.push(finding('pool-mixed-blocks', `pool ${pool}`, what, fix));
  }
  return findings;
}

function variantFindings(engines: readonly KnownEngine[]): Finding[] {
  const differing = SETTINGS.flatMap((name) => {
    const values = valuesOf(engines, ({ facts }) => facts.cacheConfig?.[name] ?? null);
    return values.size > 1 ? [`${name} is ${said(values)}`] : [];
  });
  const lengths = valuesOf(engines, ({ facts }) => numberText(facts.models[0]?.maxModelLen ?? null));
  if (lengths.size > 1) differing.push(`max_model_len is ${said(lengths)}`);
  const versions = valuesOf(engines, ({ facts }) => facts.version);
  if (versions.size > 1) differing.push(`version is ${said(versions)}`);
  const sizes = valuesOf(engines, ({ facts }) => facts.cacheConfig?.['kv_cache_size_tokens'] ?? null);
  const tokens = [...sizes.keys()].map(Number).filter((size) => size > 0);
  if (tokens.length > 1 && Math.min(...tokens) < (1 - KV_TOLERANCE) * Math.max(...tokens)) {
    differing.push(`kv_cache_size_tokens is ${said(sizes)}`);
  }
  if (differing.length === 0) return [];
  const { pool, variant } = engines[0]!.engine;
  const fix = 'start them alike, or give each kind a name of its own: variant: NAME in the fleet file';
  const what = `engines of one variant learn each other's latency and differ: ${differing.join('; ')}`;
  return [finding('variant-mixed', `variant ${variant} of pool ${pool.id}`, what, fix)];
}

/** Last part of the path or name of the base model's weights: folders differ from machine to machine. */
const weightsOf = ({ models }: EngineFacts): string | null =>
  models
    .find(({ parent }) => parent === null)
    ?.root?.split('/')
    .filter(Boolean)
    .at(-1)
    ?.toLowerCase() ?? null;

const numberText = (value: number | null): string | null => (value === null ? null : String(value));

/** Which engines have which value; those that do not say are left out. */
function valuesOf(
  engines: readonly KnownEngine[],
  valueOf: (engine: KnownEngine) => string | null,
): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const known of engines) {
    const value = valueOf(known);
    if (value !== null) values.set(value, [...(values.get(value) ?? []), known.engine.id]);
  }
  return values;
}

const MOST_NAMED = 3;
const said = (values: ReadonlyMap<string, readonly string[]>): string =>
  [...values]
    .map(([value, ids]) => {
      const more = ids.length > MOST_NAMED ? ` and ${ids.length - MOST_NAMED} more` : '';
      return `${value} on ${ids.slice(0, MOST_NAMED).join(', ')}${more}`;
    })
    .join(', ');

function groupsOf(engines: readonly KnownEngine[], keyOf: (engine: KnownEngine) => string): [string, KnownEngine[]][] {
  const groups = new Map<string, KnownEngine[]>();
  for (const known of engines) groups.set(keyOf(known), [...(groups.get(keyOf(known)) ?? []), known]);
  return [...groups];
}
