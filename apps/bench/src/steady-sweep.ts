import { ALL_ARMS, EXPECTED, LEAST_REQUEST, RANDOM } from './arms.ts';
import type { Arm } from './arms.ts';
import { E2E_P99_S, meanOf, pairedRatio, runsOf, TPOT_MS, TTFT_P50_S, TTFT_P99_S } from './intervals.ts';
import type { Claim, PartContext, PartResult } from './part.ts';
import type { RunOutcome } from './run-scenario.ts';
import { policyTable } from './table.ts';

const RATES = [5, 6, 7, 8, 10, 12, 13, 14] as const;
/** A policy that is this late at one rate is not asked at the next: it is past its capacity, and such runs last longest. */
const GIVEN_UP_S = 10;
const CAPACITY_P99_S = 2;

type Question = 'verbatim' | 'unique';
/** How much better than random at 6 QPS, by kind of question. */
const AT_SIX = { verbatim: 10, unique: 6 } as const;

/** B1: the shared-prefix workload as a steady stream at rising rates, bare engines. */
export async function steadySweep(question: Question, { run, smoke }: PartContext): Promise<PartResult> {
  const runs: RunOutcome[] = [];
  let arms: readonly Arm[] = ALL_ARMS;
  for (const rate of smoke ? RATES.slice(0, 1) : RATES) {
    const scenario = `${question}:${rate}`;
    runs.push(...(await run([scenario], arms)));
    arms = arms.filter(({ label }) => (meanOf(runsOf(runs, scenario, label), TTFT_P99_S) ?? Infinity) < GIVEN_UP_S);
  }
  const columns = RATES.map((rate) => [`${question}:${rate}`, `${rate} QPS`] as const);
  return {
    claims: [...ratioClaims(question, runs), ...capacityClaims(question, runs), stableClaim(question, runs)],
    tables: {
      [`b1-${question}`]: policyTable(runs, ALL_ARMS, columns, [TTFT_P50_S, TTFT_P99_S]),
      [`b1-${question}-e2e`]: policyTable(runs, ALL_ARMS, columns, [TPOT_MS, E2E_P99_S]),
    },
    data: ALL_ARMS.map(({ label }) => ({ policy: label, capacityQps: capacityOf(question, runs, label) })),
  };
}

function ratioClaims(question: Question, runs: readonly RunOutcome[]): Claim[] {
  const claim = (rate: number, rival: Arm, bar: number): Claim[] => {
    const of = (arm: Arm): RunOutcome[] => runsOf(runs, `${question}:${rate}`, arm.label);
    const ratio = pairedRatio(of(rival), of(EXPECTED), TTFT_P99_S);
    if (ratio === null) return [];
    const id = `b1-${question}-${rate}qps-p99-vs-${rival.label}`;
    const unit = `x (${ratio.low.toFixed(1)} to ${ratio.high.toFixed(1)})`;
    return [{ id, value: Number(ratio.mean.toFixed(2)), unit, bar: `>= ${bar}`, met: ratio.mean >= bar }];
  };
  return [
    ...claim(6, RANDOM, AT_SIX[question]),
    ...claim(7, RANDOM, 30),
    ...claim(6, LEAST_REQUEST, 6),
    ...claim(7, LEAST_REQUEST, 6),
  ];
}

/** Highest rate of the sweep whose 99th percentile of TTFT is within 2 s (mean over seeds), every lower one being so too. */
function capacityOf(question: Question, runs: readonly RunOutcome[], label: string): number {
  let capacity = 0;
  for (const rate of RATES) {
    const p99 = meanOf(runsOf(runs, `${question}:${rate}`, label), TTFT_P99_S);
    if (p99 === null || p99 > CAPACITY_P99_S) break;
    capacity = rate;
  }
  return capacity;
}

function capacityClaims(question: Question, runs: readonly RunOutcome[]): Claim[] {
  const own = capacityOf(question, runs, EXPECTED.label);
  const claims: Claim[] = [{ id: `b1-${question}-capacity`, value: own, unit: 'QPS at p99 TTFT <= 2 s' }];
  for (const [rival, bar] of [
    [LEAST_REQUEST, 1.7],
    [RANDOM, 2],
  ] as const) {
    const other = capacityOf(question, runs, rival.label);
    if (other === 0) continue;
    const value = Number((own / other).toFixed(2));
    const unit = `x (${own} to ${other} QPS)`;
    claims.push({ id: `b1-${question}-capacity-vs-${rival.label}`, value, unit, bar: `>= ${bar}`, met: value >= bar });
  }
  return claims;
}

/** The worst seed near the knee, where a policy blind to decodes tips over now and then. */
function stableClaim(question: Question, runs: readonly RunOutcome[]): Claim {
  const worst = Math.max(...runsOf(runs, `${question}:13`, EXPECTED.label).map((run) => TTFT_P99_S(run) ?? Infinity));
  return {
    id: `b1-${question}-13qps-worst-p99`,
    value: worst,
    unit: 's',
    bar: `<= ${CAPACITY_P99_S}`,
    met: worst <= CAPACITY_P99_S,
  };
}
