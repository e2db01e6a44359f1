import { PROFILES } from '@sluice/engine-model';
import { runTwin, summarize } from '@sluice/twin';
import type { LatencySummary, TwinOptions, TwinRecords } from '@sluice/twin';
import { LEAD_MS, POLL_MS, PROBE } from './live-run.ts';
import type { Experiment, LiveDecision, LiveRun } from './live-run.ts';

/** What the twin and the live system showed of the same requests. */
export interface Comparison {
  readonly requests: number;
  /** Requests that went to the same engine in both. */
  readonly identical: number;
  /** Requests before the first that did not. */
  readonly identicalAtFirst: number;
  /** Live decisions among engines whose costs are a tie, which chance decides; and those of them that were identical. */
  readonly ties: number;
  readonly identicalTies: number;
  /** What `identical` would be with another seed in the twin: what agreement there is without the same randomness. */
  readonly identicalWithOtherSeed: number;
  /** Requests whose engine found as many tokens cached as the twin's did. */
  readonly equallyCached: number;
  readonly twinTtft: LatencySummary;
  readonly liveTtft: LatencySummary;
  readonly twinE2e: LatencySummary;
  readonly liveE2e: LatencySummary;
  /** How late the client sent, and what identical requests to the idle system took longer than the model says. */
  readonly lateness: LatencySummary;
  readonly overhead: LatencySummary;
  readonly coresBusy: number | null;
}

/** The options of the twin that say what the live system is. */
const optionsOf = ({ requests, engines, profile, kvTokens, policy, seed }: Experiment): TwinOptions => ({
  requests: requests.map((request) => ({ ...request, outputLimit: request.outputTokens })),
  engines: Array.from({ length: engines }, () => ({
    profile: PROFILES[profile],
    ...(kvTokens !== undefined && { kvTokens }),
  })),
  policy,
  seed,
  draws: 'by-decision',
  pollMs: POLL_MS,
  flowControl: {},
  keepRecords: true,
});

/** What the twin says of the experiment. */
export function runInTwin(experiment: Experiment): TwinRecords {
  return runTwin(optionsOf(experiment)).records!;
}

/** @throws Error when a live prompt or answer did not have the tokens that it was meant to have. */
export function compare(experiment: Experiment, twin: TwinRecords, live: LiveRun): Comparison {
  const { requests, seed, warmUpMs } = experiment;
  const { served, engineOf, decisions, probesMs, coresBusy } = live;
  for (const [index, { usage }] of served.entries()) {
    const { promptTokens, outputTokens } = requests[index]!;
    if (usage.prompt_tokens !== promptTokens || usage.completion_tokens !== outputTokens) {
      throw new Error(`request ${index} had ${JSON.stringify(usage)}, not ${promptTokens} in and ${outputTokens} out`);
    }
  }
  const same = engineOf.map((engine, index) => engine === twin.engine[index]);
  const tied = decisions.map(isTie);
  const [probeMs] = runInTwin({ ...experiment, requests: [PROBE] }).ttftMs;
  const otherSeed = runInTwin({ ...experiment, seed: seed + 1 });
  const measured = (values: ArrayLike<number>): LatencySummary =>
    summarize(Array.from(values).filter((_, index) => requests[index]!.arrivalMs >= warmUpMs));
  return {
    requests: requests.length,
    identical: count(same),
    identicalAtFirst: same.includes(false) ? same.indexOf(false) : same.length,
    ties: count(tied),
    identicalTies: count(tied.map((isTied, index) => isTied && same[index]!)),
    identicalWithOtherSeed: count(engineOf.map((engine, index) => engine === otherSeed.engine[index])),
    equallyCached: count(
      served.map(({ usage }, index) => usage.prompt_tokens_details?.cached_tokens === twin.cachedTokens[index]),
    ),
    twinTtft: measured(twin.ttftMs),
    liveTtft: measured(served.map(({ firstMs, sentMs }) => firstMs - sentMs)),
    twinE2e: measured(twin.e2eMs),
    liveE2e: measured(served.map(({ endMs, sentMs }) => endMs - sentMs)),
    lateness: summarize(served.map(({ sentMs }, index) => sentMs - LEAD_MS - requests[index]!.arrivalMs)),
    overhead: summarize(probesMs.map((ms) => ms - probeMs!)),
    coresBusy,
  };
}

/** Whether more than one engine cost so little that chance decided among them. */
export function isTie({ tieCost, candidates }: LiveDecision): boolean {
  return candidates.filter(({ up, cost }) => up && cost !== null && tieCost !== null && cost <= tieCost).length > 1;
}

const count = (flags: readonly boolean[]): number => flags.filter(Boolean).length;

/** The comparison for people. */
export function linesOf(comparison: Comparison): string[] {
  const { requests, identical, identicalAtFirst, ties, identicalTies, identicalWithOtherSeed, equallyCached } =
    comparison;
  const { twinTtft, liveTtft, twinE2e, liveE2e, lateness, overhead, coresBusy } = comparison;
  const share = (part: number, whole: number): string => `${part} of ${whole} (${((100 * part) / whole).toFixed(1)} %)`;
  const pair = (name: string, twin: number | null, live: number | null): string =>
    `${name}: twin ${ms(twin)}, live ${ms(live)} (${((100 * live!) / twin! - 100).toFixed(1)} %)`;
  return [
    `same engine: ${share(identical, requests)}, the first ${identicalAtFirst} without exception; with another seed in the twin ${share(identicalWithOtherSeed, requests)}`,
    `decisions that chance made among ties: ${ties}, of them the same ${identicalTies}`,
    `as many tokens found cached: ${share(equallyCached, requests)}`,
    pair('TTFT p50', twinTtft.p50, liveTtft.p50),
    pair('TTFT p99', twinTtft.p99, liveTtft.p99),
    pair('TTFT mean', twinTtft.mean, liveTtft.mean),
    pair('E2E p50', twinE2e.p50, liveE2e.p50),
    pair('E2E p99', twinE2e.p99, liveE2e.p99),
    `noise floor: the client sent late by ${ms(lateness.p50)} at p50, ${ms(lateness.p99)} at p99; identical requests to the ` +
      `idle system took ${ms(overhead.p50)} at p50 and ${ms(overhead.p99)} at worst longer than the model says`,
    `processors: ${coresBusy === null ? 'not known' : `${coresBusy.toFixed(2)} cores busy with all of it, the client included`}`,
  ];
}

const ms = (value: number | null): string => `${value!.toFixed(1)} ms`;

/** Whether the live value is within 5 % + 2 ms of the twin's. */
export const isNear = (twin: number | null, live: number | null): boolean =>
  Math.abs(live! - twin!) <= 0.05 * twin! + 2;
