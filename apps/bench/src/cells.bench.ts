/** The cells of the search that found the default objective, held against what a prototype showed there. See docs/benchmarks.md. */
import { DYNAMO, EXPECTED } from './arms.ts';
import { CELL_ARMS, CELLS } from './cells.ts';
import { againstEach, comparatorClaims, compareToBest } from './comparators.ts';
import { cell, E2E_P99_S, meanOf, runsOf, TTFT_MEAN_S, TTFT_P99_S } from './intervals.ts';
import { runPart } from './part.ts';
import { PROTOTYPE_ARMS } from './published.ts';
import type { RunOutcome } from './run-scenario.ts';
import { markdown } from './table.ts';

/**
 * Those that mean the same there. Its `dynamo-kv` leaves out the blocks that the request itself would add, which the
 * router's source counts.
 */
const SAME = PROTOTYPE_ARMS.filter((arm) => arm !== DYNAMO.label);
const RIVALS = SAME.filter((arm) => arm !== EXPECTED.label);
/** Means that differ by less are no order. */
const DISTINCT = 1.15;
const WITHIN = 0.25;
/** Above, requests wait for others to end: saturated. */
const SATURATED_MEAN_S = 2;
const OVERLOADED = ['conv3M', 'het10'];

interface Pair {
  readonly cell: string;
  readonly faster: string;
  readonly slower: string;
  readonly ratio: number;
}

/** Pairs of rivals that the prototype puts in an order, and ours of the slower over the faster. */
function ordersOf(runs: readonly RunOutcome[]): Pair[] {
  return CELLS.flatMap(({ cell, scenario, values }) =>
    RIVALS.flatMap((faster) =>
      RIVALS.flatMap((slower) => {
        const [fast, slow] = [faster, slower].map((arm) => values[PROTOTYPE_ARMS.indexOf(arm)]![0]);
        if (slow! < DISTINCT * fast!) return [];
        const [a, b] = [faster, slower].map((arm) => meanOf(runsOf(runs, scenario, arm), TTFT_MEAN_S));
        return a == null || b == null ? [] : [{ cell, faster, slower, ratio: b / a }];
      }),
    ),
  );
}

interface Mean {
  readonly cell: string;
  readonly policy: string;
  readonly prototypeS: number;
  readonly hereS: number;
  readonly ratio: number;
}

/** Mean TTFTs where neither the cell nor the policy is past its capacity. */
function unsaturatedMeans(runs: readonly RunOutcome[]): Mean[] {
  return CELLS.filter(({ cell }) => !OVERLOADED.includes(cell)).flatMap(({ cell, scenario, values }) =>
    SAME.flatMap((policy) => {
      const prototypeS = values[PROTOTYPE_ARMS.indexOf(policy)]![0];
      const hereS = meanOf(runsOf(runs, scenario, policy), TTFT_MEAN_S);
      if (hereS === null || prototypeS >= SATURATED_MEAN_S) return [];
      return [{ cell, policy, prototypeS, hereS, ratio: hereS / prototypeS }];
    }),
  );
}

function table(runs: readonly RunOutcome[]): string {
  const rows = CELLS.filter(({ scenario }) => runs.some((run) => run.scenario === scenario)).map(
    ({ cell: name, scenario, values }) => [
      name,
      ...PROTOTYPE_ARMS.map((arm, i) => {
        const own = runsOf(runs, scenario, arm);
        const here = [TTFT_MEAN_S, TTFT_P99_S, E2E_P99_S].map((metric) => cell(own, metric)).join(' / ');
        return `${here} (${values[i]!.join(' / ')})`;
      }),
    ],
  );
  return markdown(['cell', ...PROTOTYPE_ARMS], rows);
}

await runPart(process, async ({ run, smoke }) => {
  const scenarios = CELLS.map(({ scenario }) => scenario);
  const runs = await run(smoke ? scenarios.slice(0, 4) : scenarios, CELL_ARMS);
  const orders = ordersOf(runs);
  const kept = orders.filter(({ ratio }) => ratio > 1).length;
  const means = unsaturatedMeans(runs);
  const close = means.filter(({ ratio }) => Math.abs(ratio - 1) <= WITHIN).length;
  const comparisons = compareToBest(runs);
  return {
    claims: [
      {
        id: 'cells-order',
        value: kept,
        unit: `of ${orders.length} pairs in the prototype's order`,
        bar: 'all',
        met: kept === orders.length,
      },
      {
        id: 'cells-means',
        value: close,
        unit: `of ${means.length} means below saturation within 25 %`,
        bar: 'all',
        met: close === means.length,
      },
      ...comparatorClaims('cells', comparisons),
    ],
    tables: { cells: table(runs) },
    data: {
      outOfOrder: orders.filter(({ ratio }) => ratio <= 1),
      meansOff: means.filter(({ ratio }) => Math.abs(ratio - 1) > WITHIN),
      comparisons,
      againstEach: againstEach(runs),
    },
  };
});
