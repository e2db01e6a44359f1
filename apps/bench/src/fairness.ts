import { b2bWorkload } from '@sluice/twin';
import type { B2bOptions, SimulatedRequest } from '@sluice/twin';

type Prompts = Pick<B2bOptions, 'groups' | 'usersPerGroup' | 'systemTokens' | 'questionTokens' | 'outputTokens'>;

/** One stream of requests. */
interface Stream {
  readonly qps: number;
  readonly prompts: Prompts;
  readonly priority?: number;
}

/** Somebody to be protected, and a flood of requests beside. */
export interface FairnessCase {
  readonly title: string;
  readonly own: Stream;
  readonly flood: Stream;
  /** Largest p99 TTFT beside the flood, over that alone. */
  readonly bar: number;
}

/** llm-d's shared-prefix benchmark: 150 prompts of 6,000 tokens, questions of 1,200, answers of 1,000. */
const SHARED: Prompts = {};
/** Ten prompts that are always cached, questions of 400 tokens and answers of 200. */
const HOT: Prompts = { groups: 10, questionTokens: 400, outputTokens: 200 };
/** Nothing is cached, answers are short: prefill binds. */
const NEW: Prompts = {
  groups: 1_000_000,
  usersPerGroup: 1,
  systemTokens: 2000,
  questionTokens: 2000,
  outputTokens: 100,
};
const TENANTS_BAR = 1.2;
const BANDS_BAR = 1.5;

const beside = (title: string, own: Stream, flood: Stream, bar = TENANTS_BAR): FairnessCase => ({
  title,
  own,
  flood,
  bar,
});
const tenFold = (title: string, qps: number, prompts: Prompts): FairnessCase =>
  beside(title, { qps, prompts }, { qps: 10 * qps, prompts });

/** Eight Qwen3-32B engines serve some 13 requests/s of the shared prefixes, and 37 of the new prompts. */
export const FAIRNESS_CASES: Readonly<Record<string, FairnessCase>> = {
  light: tenFold('shared prefixes, 1.5 and 15 requests/s', 1.5, SHARED),
  medium: tenFold('shared prefixes, 3 and 30', 3, SHARED),
  heavy: tenFold('shared prefixes, 4 and 40', 4, SHARED),
  new: tenFold('new prompts of 4,000 tokens, 3.6 and 36', 3.6, NEW),
  hot: beside('hot prefixes, 3, and shared ones, 30', { qps: 3, prompts: HOT }, { qps: 30, prompts: SHARED }),
  urgent: beside(
    'urgent 3, others 23: twice the capacity',
    { qps: 3, prompts: SHARED, priority: 1 },
    { qps: 23, prompts: SHARED, priority: -1 },
    BANDS_BAR,
  ),
  'urgent-many': beside(
    'urgent 5, others 20',
    { qps: 5, prompts: SHARED, priority: 1 },
    { qps: 20, prompts: SHARED, priority: -1 },
    BANDS_BAR,
  ),
};

/** Who sends: the protected one alone, both, or the flood alone. */
export type FairnessRun = 'alone' | 'both' | 'flood';

/** Block ids of the flood start here: nobody shares a prefix with it. */
const FLOOD_BLOCKS = 1 << 24;
export const OWN = 'own';
export const FLOOD = 'flood';

/** The requests of a case, in order of arrival; the protected ones are the same in every run of a seed. */
export function fairnessLoad(
  { own, flood }: FairnessCase,
  run: FairnessRun,
  schedule: { readonly seed: number; readonly warmUpS: number; readonly measuredS: number },
): SimulatedRequest[] {
  const stream = ({ qps, prompts, priority = 0 }: Stream, tenant: string, seed: number): SimulatedRequest[] =>
    b2bWorkload({ ...schedule, ...prompts, qps, seed, verbatim: false }).map((request) => ({
      ...request,
      tenant,
      priority,
      blocks: tenant === FLOOD ? request.blocks.map((block) => block + FLOOD_BLOCKS) : request.blocks,
    }));
  const requests = [
    ...(run === 'flood' ? [] : stream(own, OWN, 1000 + schedule.seed)),
    ...(run === 'alone' ? [] : stream(flood, FLOOD, 2000 + schedule.seed)),
  ];
  return requests.sort((a, b) => a.arrivalMs - b.arrivalMs);
}
