/**
 * How much the exchange rates of the default objective matter: every price halved and doubled, alone and all at once, over
 * the cells, against the best comparator of each cell. With `--keep FILE` of the `cells` part only the perturbed runs are new.
 */
import { EXPECTED } from './arms.ts';
import { CELL_ARMS, CELLS } from './cells.ts';
import { compareToBest } from './comparators.ts';
import { geometricMean } from './intervals.ts';
import { runPart } from './part.ts';
import { PERTURBED } from './prices.ts';
import type { RunOutcome } from './run-scenario.ts';
import { markdown } from './table.ts';

const MOST_RATIO = 0.9;
/** What a ratio that is not finite counts as. */
const FAILED_RATIO = 1000;

interface Ratios {
  readonly label: string;
  /** Geometric means over the cells of p99 and mean TTFT against the best comparator of each. */
  readonly ttftP99: number;
  readonly ttftMean: number;
  readonly worst: number;
  readonly worstCell: string;
}

function ratiosOf(runs: readonly RunOutcome[], label: string): Ratios | null {
  if (!runs.some(({ arm }) => arm === label)) return null;
  const comparisons = compareToBest(runs, label);
  const of = (name: string): number[] =>
    comparisons.filter(({ metric }) => metric === name).map(({ ratio }) => ratio ?? FAILED_RATIO);
  const p99 = of('ttft-p99');
  const worst = Math.max(...p99);
  const worstCell = comparisons.filter(({ metric }) => metric === 'ttft-p99')[p99.indexOf(worst)]!.scenario;
  return { label, ttftP99: geometricMean(p99), ttftMean: geometricMean(of('ttft-mean')), worst, worstCell };
}

const rounded = (value: number): number => Number(value.toFixed(3));

await runPart(process, async ({ run, smoke }) => {
  const cells = CELLS.map(({ scenario }) => scenario);
  const arms = PERTURBED.map(({ arm }) => arm);
  const runs = await run(smoke ? cells.slice(0, 1) : cells, smoke ? [...CELL_ARMS, arms[0]!] : [...CELL_ARMS, ...arms]);
  const unperturbed = ratiosOf(runs, EXPECTED.label);
  const perturbed = arms.map(({ label }) => ratiosOf(runs, label)).filter((ratios) => ratios !== null);
  const rows = [unperturbed, ...perturbed].flatMap((ratios) =>
    ratios === null
      ? []
      : [
          [
            ratios.label,
            String(rounded(ratios.ttftP99)),
            String(rounded(ratios.ttftMean)),
            `${rounded(ratios.worst)} (${ratios.worstCell})`,
          ],
        ],
  );
  const highest = perturbed.reduce<Ratios | null>((a, b) => (a === null || b.ttftP99 > a.ttftP99 ? b : a), null);
  return {
    claims:
      highest === null || perturbed.length < arms.length
        ? []
        : [
            {
              id: 'prices-ttft-p99-vs-best',
              value: rounded(highest.ttftP99),
              unit: `x, geometric mean, at most (${highest.label})`,
              bar: `<= ${MOST_RATIO}`,
              met: highest.ttftP99 <= MOST_RATIO,
            },
          ],
    tables: { prices: markdown(['prices', 'p99 TTFT', 'mean TTFT', 'worst p99'], rows) },
    data: { unperturbed, perturbed },
  };
});
