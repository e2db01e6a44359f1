import type { FleetView } from '../fleet/fleet-view.ts';
import type { Pool } from '../fleet/pool.ts';

/** An entry of `/v1/models`. */
export interface ModelCard {
  readonly id: string;
  readonly object: 'model';
  readonly created: number;
  readonly owned_by: 'sluice';
  /** The base model of a LoRA adapter or an alias, else null. */
  readonly root: string;
  readonly parent: string | null;
}

/** When this router learned of its models; engines say when they were asked, which is no better. */
const CREATED_S = Math.floor(Date.now() / 1000);

/** Models, aliases and LoRA adapters of every pool. */
export function listModels(fleet: FleetView): { object: 'list'; data: ModelCard[] } {
  const data: ModelCard[] = [];
  for (const pool of fleet.pools.values()) for (const name of pool.spec.models) data.push(card(pool, name));
  return { object: 'list', data };
}

export function findModel(fleet: FleetView, name: string): ModelCard | null {
  const pool = fleet.poolOf(name);
  return pool === null ? null : card(pool, name);
}

function card(pool: Pool, name: string): ModelCard {
  const base = pool.spec.models[0]!;
  const lora = pool.lora(name);
  return {
    id: name,
    object: 'model',
    created: CREATED_S,
    owned_by: 'sluice',
    root: lora ?? base,
    parent: lora === null ? null : base,
  };
}
