import type { RouteQuery, StepParameters } from '@sluice/model';
import { workerId } from '@sluice/model';
import type { FleetTable } from '../fleet-table.ts';
import { createFleetTable } from '../fleet-table.ts';

/** Qwen3-32B on two H100. */
export const STEP: StepParameters = {
  t0Ms: 2.2,
  twMs: 12.3,
  aMsPerToken: 0.053,
  kAttMs: 0.88e-6,
  kKvMs: 0.046e-3,
  kSeqMs: 0.005,
  apiBaseMs: 15,
  apiPerTokenMs: 0.012,
};

export const QUERY: RouteQuery = { promptTokens: 4000, expectedOutputTokens: 200, sessionHash: null };

/** A pool of `count` workers `w0`, `w1`, ... that are up, idle and were scraped at 0 ms. */
export function pool(count: number): FleetTable {
  const table = createFleetTable(2);
  for (let i = 0; i < count; i++) {
    const row = table.addWorker(workerId(`w${i}`), STEP);
    table.setUp(row, true);
    const idle = { waitingRequests: 0, runningRequests: 0, kvUsage: 0, kvCapacityTokens: 300_000 };
    table.recordScrape(row, idle, 0);
  }
  return table;
}

/** Fills the request's columns as the router does, with a plain stand-in for the latency model. */
export function predictAll(table: FleetTable, query: RouteQuery, cachedTokens: (row: number) => number): void {
  const { columns } = table;
  for (let row = 0; row < columns.size; row++) {
    columns.cachedTokens[row] = cachedTokens(row);
    const tokens = columns.queuedPrefillTokens[row]! + query.promptTokens - columns.cachedTokens[row]!;
    columns.predictedTtftMs[row] = 30 + Math.max(STEP.twMs, STEP.aMsPerToken * tokens);
    columns.predictedTpotMs[row] = 15 + 0.05 * columns.inflightRequests[row]!;
  }
}
