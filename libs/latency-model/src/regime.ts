import type { WorkerLoad } from './work.ts';

/** What a request meets at its worker; predictions are off by different amounts in each. */
export const REGIMES = ['idle', 'loaded', 'queued', 'full'] as const;
export type Regime = (typeof REGIMES)[number];

/** From this forecast on requests wait for memory, for as long as nobody knows. */
const FULL = 0.95;

/**
 * `full`: memory is short, the request may wait for others to end; `queued`: prompts are ahead of it; `loaded`: only
 * decodes are; `idle`: nothing is.
 */
export function regimeOf({ kvForecast = 0, queuedPrefillTokens, decodesRunning }: WorkerLoad): Regime {
  if (kvForecast >= FULL) return 'full';
  if (queuedPrefillTokens > 0) return 'queued';
  return decodesRunning > 0 ? 'loaded' : 'idle';
}
