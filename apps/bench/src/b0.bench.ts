/** B0: published ladders, run stage by stage as they were measured, and how far the twin is off. See docs/benchmarks.md. */
import { LADDERS } from '@sluice/twin';
import { RANDOM, WEIGHTED_111, WEIGHTED_211, WEIGHTED_322 } from './arms.ts';
import type { Arm } from './arms.ts';
import { geometricMean, meanOf, runsOf, short, TTFT_MEAN_S } from './intervals.ts';
import { runPart } from './part.ts';
import type { Claim } from './part.ts';
import { B2B_SERVICE, B2B_WEIGHTED_322, LLAMA_PRECISE, LLAMA_RANDOM, SUMMARIES, TIERED_HBM } from './published.ts';
import type { PublishedStage } from './published.ts';
import type { RunOutcome, StageOutcome } from './run-scenario.ts';
import { markdown } from './table.ts';

/** A published arm and the policy that stands for it. */
interface Comparison {
  readonly id: string;
  readonly ladder: keyof typeof LADDERS;
  readonly arm: Arm;
  readonly published: readonly PublishedStage[];
  /** From this rate on requests came faster than they were served; null: never, the arm kept up on every stage. */
  readonly saturatedFromQps: number;
}

const COMPARISONS: readonly Comparison[] = [
  { id: 'b2b-service', ladder: 'b2b', arm: RANDOM, published: B2B_SERVICE, saturatedFromQps: 20 },
  { id: 'b2b-3-2-2', ladder: 'b2b', arm: WEIGHTED_322, published: B2B_WEIGHTED_322, saturatedFromQps: 40 },
  { id: 'tiered-hbm', ladder: 'tiered', arm: WEIGHTED_111, published: TIERED_HBM, saturatedFromQps: 10 },
  { id: '70b-random', ladder: 'llama-70b', arm: RANDOM, published: LLAMA_RANDOM, saturatedFromQps: 5 },
  { id: '70b-2-1-1', ladder: 'llama-70b', arm: WEIGHTED_211, published: LLAMA_PRECISE, saturatedFromQps: 20 },
];
/** Where TTFT is that of an idle engine, throughput alone says how saturated stages compare. */
const LEAST_SATURATED_TTFT_S = 1;
const WITHIN = 0.25;
const UNLOADED_WITHIN = 0.3;

interface StageComparison {
  readonly qps: number;
  readonly ttftMeanS: number;
  readonly ttftP90S: number;
  /** Output tokens, or prompt and output tokens where only those are published. */
  readonly tokensPerS: number;
  readonly published: PublishedStage;
  readonly ttftRatio: number;
  readonly tokensRatio: number;
}

/** Stages of which something is published. */
function compare({ ladder, arm, published }: Comparison, runs: readonly RunOutcome[]): StageComparison[] {
  const own = runsOf(runs, `ladder:${ladder}`, arm.label);
  const mean = (stage: number, value: (outcome: StageOutcome) => number | null): number =>
    own.reduce((sum, run) => sum + (value(run.stages![stage]!) ?? Infinity), 0) / own.length;
  if (own.length === 0) return [];
  return published.map((each) => {
    const stage = LADDERS[ladder].stages.findIndex(({ qps }) => qps === each.qps);
    const ttftMeanS = mean(stage, ({ ttftMs }) => ttftMs.mean) / 1000;
    const ttftP90S = mean(stage, ({ ttftMs }) => ttftMs.p90) / 1000;
    const tokensPerS = mean(stage, (outcome) =>
      each.outputTokensPerS === undefined ? outcome.totalTokensPerS : outcome.outputTokensPerS,
    );
    const ttftRatio = ttftMeanS / each.ttftMeanS;
    const tokensRatio = tokensPerS / (each.outputTokensPerS ?? each.totalTokensPerS!);
    return { qps: each.qps, ttftMeanS, ttftP90S, tokensPerS, published: each, ttftRatio, tokensRatio };
  });
}

const within = (ratio: number, share: number): boolean => ratio >= 1 - share && ratio <= 1 + share;
const ratioClaim = (id: string, value: number, share: number): Claim => ({
  id,
  value: round(value),
  unit: 'x published',
  bar: `${1 - share} to ${1 + share}`,
  met: within(value, share),
});

function claimsOf(comparison: Comparison, stages: readonly StageComparison[]): Claim[] {
  const { id, saturatedFromQps } = comparison;
  const saturated = stages.filter(({ qps }) => qps >= saturatedFromQps);
  const claims: Claim[] = [];
  const queued = saturated.filter(({ published: { ttftMeanS } }) => ttftMeanS >= LEAST_SATURATED_TTFT_S);
  if (queued.length > 0) {
    claims.push(ratioClaim(`b0-${id}-saturated-ttft`, geometricMean(queued.map(({ ttftRatio }) => ttftRatio)), WITHIN));
  }
  if (saturated.length > 0) {
    claims.push(
      ratioClaim(`b0-${id}-saturated-tokens`, geometricMean(saturated.map(({ tokensRatio }) => tokensRatio)), WITHIN),
    );
  }
  const both = [...queued.map(({ ttftRatio }) => ttftRatio), ...saturated.map(({ tokensRatio }) => tokensRatio)];
  claims.push({
    id: `b0-${id}-stages-within-25`,
    value: both.filter((ratio) => within(ratio, WITHIN)).length,
    unit: `of ${both.length} values of saturated stages`,
  });
  const [unloaded] = stages;
  if (
    unloaded !== undefined &&
    unloaded.qps < saturatedFromQps &&
    unloaded.published.ttftMeanS < LEAST_SATURATED_TTFT_S
  ) {
    claims.push(ratioClaim(`b0-${id}-unloaded-ttft`, unloaded.ttftRatio, UNLOADED_WITHIN));
  }
  return claims;
}

/** Whole ladders against published summaries; given without a bar, because they mix stages of every kind. */
function summaryClaims(comparison: Comparison, runs: readonly RunOutcome[]): Claim[] {
  const { id, ladder, arm } = comparison;
  const summary = SUMMARIES[id];
  const own = runsOf(runs, `ladder:${ladder}`, arm.label);
  const ttft = meanOf(own, TTFT_MEAN_S);
  const output = meanOf(own, ({ outputTokensPerS }) => outputTokensPerS);
  if (summary === undefined || ttft === null || output === null) return [];
  return [
    { id: `b0-${id}-ladder-ttft`, value: round(ttft / summary.ttftMeanS), unit: 'x published' },
    { id: `b0-${id}-ladder-tokens`, value: round(output / summary.outputTokensPerS), unit: 'x published' },
  ];
}

const round = (value: number): number => Number(value.toFixed(3));

/** Orders of policies by mean TTFT that the published tables have, the best first. */
const ORDERS: readonly { readonly ladder: keyof typeof LADDERS; readonly arms: readonly Arm[] }[] = [
  { ladder: 'b2b', arms: [WEIGHTED_322, WEIGHTED_111, RANDOM] },
  { ladder: 'llama-70b', arms: [WEIGHTED_211, RANDOM] },
];

function orderClaims(runs: readonly RunOutcome[]): Claim[] {
  return ORDERS.map(({ ladder, arms }) => {
    const means = arms.map(({ label }) => meanOf(runsOf(runs, `ladder:${ladder}`, label), TTFT_MEAN_S) ?? Infinity);
    const kept = means.filter((mean, i) => i === 0 || mean > means[i - 1]!).length;
    return {
      id: `b0-${ladder}-order`,
      value: kept,
      unit: `of ${arms.length} in order`,
      bar: 'all',
      met: kept === arms.length,
    };
  });
}

const percent = (ratio: number): string => `${ratio >= 1 ? '+' : ''}${(100 * (ratio - 1)).toFixed(0)} %`;

function table(comparisons: readonly (readonly [Comparison, readonly StageComparison[]])[]): string {
  const rows = comparisons.flatMap(([{ id, saturatedFromQps }, stages]) =>
    stages.map((stage) => [
      id,
      `${stage.qps}${stage.qps >= saturatedFromQps ? ' *' : ''}`,
      `${short(stage.published.ttftMeanS)} / ${short(stage.published.ttftP90S ?? NaN)}`,
      `${short(stage.ttftMeanS)} / ${short(stage.ttftP90S)}`,
      percent(stage.ttftRatio),
      short(stage.published.outputTokensPerS ?? stage.published.totalTokensPerS!),
      short(stage.tokensPerS),
      percent(stage.tokensRatio),
    ]),
  );
  const head = ['arm', 'QPS', 'TTFT mean / p90 s, published', 'here', 'off', 'tok/s, published', 'here', 'off'];
  return markdown(head, rows);
}

await runPart(process, async ({ run, smoke }) => {
  const runs = [
    ...(await run(['ladder:b2b'], [RANDOM, WEIGHTED_111, WEIGHTED_322])),
    ...(await run(['ladder:tiered'], [WEIGHTED_111])),
    ...(await run(['ladder:llama-70b'], [RANDOM, WEIGHTED_211])),
  ];
  // the short ladders of a smoke run are no published ones
  const compared = (smoke ? [] : COMPARISONS).map((comparison) => [comparison, compare(comparison, runs)] as const);
  return {
    claims: [
      ...compared.flatMap(([comparison, stages]) => [
        ...claimsOf(comparison, stages),
        ...summaryClaims(comparison, runs),
      ]),
      ...orderClaims(runs),
    ],
    tables: { b0: table(compared) },
    data: compared.map(([{ id }, stages]) => ({ id, stages })),
  };
});
