import { PROFILES } from '@sluice/engine-model';
import type { EngineSetup, SimulatedRequest } from '../api.ts';

/** An engine of the specs. */
export const ENGINE: EngineSetup = { profile: PROFILES['llama-3.1-8b-h100'] };

export const engines = (count: number): EngineSetup[] => Array.from({ length: count }, () => ENGINE);

/** A request whose whole prompt is its own, unless `change` says otherwise. */
export const request = (
  arrivalMs: number,
  promptTokens: number,
  outputTokens: number,
  change: Partial<SimulatedRequest> = {},
): SimulatedRequest => ({
  arrivalMs,
  blocks: [],
  blockTokens: 16,
  promptTokens,
  outputTokens,
  session: null,
  ...change,
});

/** A request that begins with the `tokens` of text number `id`. */
export const sharing = (id: number, tokens: number, arrivalMs: number, promptTokens = tokens + 64): SimulatedRequest =>
  request(arrivalMs, promptTokens, 4, { blocks: [id], blockTokens: tokens });
