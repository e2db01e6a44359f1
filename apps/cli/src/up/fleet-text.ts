import type { ProbedEngine } from './probe-engine.ts';

/** A name that can be an id: what cannot stand in one becomes `-`. */
export const idFrom = (text: string): string => {
  const id = text.replace(/[^A-Za-z0-9_-]+/g, '-').replace(/^[-_]+|[-_]+$/g, '');
  return id.slice(0, 48) || 'pool';
};

/**
 * Text of a fleet file for engines that were asked about themselves: engines with the same base model form a pool.
 * `names[i]` is the id of `engines[i]`.
 */
export function fleetText(
  engines: readonly ProbedEngine[],
  names: readonly string[],
  tokenizer: string | null,
): string {
  const pools = new Map<string, { engines: object[]; models: Set<string>; loras: Set<string> }>();
  engines.forEach((engine, i) => {
    const base = engine.models[0]!;
    const pool = pools.get(base) ?? { engines: [], models: new Set<string>(), loras: new Set<string>() };
    pools.set(base, pool);
    for (const model of engine.models) pool.models.add(model);
    for (const lora of engine.loras) pool.loras.add(lora);
    pool.engines.push({ id: names[i], url: engine.url, ranks: engine.ranks, kvEvents: engine.kvEvents });
  });
  const entries = [...pools].map(([base, pool]) => ({
    id: idFrom(base),
    models: [...pool.models],
    loras: [...pool.loras],
    tokenizer,
    engines: pool.engines,
  }));
  return `${JSON.stringify({ version: 1, pools: entries }, null, 2)}\n`;
}
