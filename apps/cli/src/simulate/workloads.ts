import {
  b2bWorkload,
  chatWorkload,
  codingAgentWorkload,
  documentQaWorkload,
  hotPrefixWorkload,
  reasoningWorkload,
  sharedFirstBlockWorkload,
} from '@sluice/twin';
import type { Schedule, SimulatedRequest } from '@sluice/twin';

export const WORKLOAD_IDS = [
  'b2b',
  'b2b-unique',
  'b2b-verbatim',
  'chat',
  'agentic',
  'reasoning',
  'doc-qa',
  'hot-prefix',
  'shared-first-block',
] as const;
export type WorkloadId = (typeof WORKLOAD_IDS)[number];

/** Workloads by the names that the command line has for them. */
export const WORKLOADS: Readonly<Record<WorkloadId, (schedule: Schedule) => SimulatedRequest[]>> = {
  b2b: (schedule) => b2bWorkload({ ...schedule, verbatim: false }),
  // The same by the name that the benchmarks have for it.
  'b2b-unique': (schedule) => b2bWorkload({ ...schedule, verbatim: false }),
  'b2b-verbatim': (schedule) => b2bWorkload({ ...schedule, verbatim: true }),
  chat: chatWorkload,
  agentic: codingAgentWorkload,
  reasoning: reasoningWorkload,
  'doc-qa': documentQaWorkload,
  'hot-prefix': hotPrefixWorkload,
  'shared-first-block': sharedFirstBlockWorkload,
};
