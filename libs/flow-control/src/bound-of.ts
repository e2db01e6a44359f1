import type { FlowControlOptions } from './options.ts';
import type { Bound, ShedReason } from './outcomes.ts';
import type { FlowRequest } from './ticket.ts';

/** What is held when a request is turned away. */
interface Held {
  readonly requests: number;
  readonly bytes: number;
}

/** The bound that `reason` speaks of. @param sentAtMs when the request would be sent, or until when it has waited */
export function boundOf(
  reason: ShedReason,
  { bytes, arrivedAtMs, deadlineAtMs, ttftSloMs }: FlowRequest,
  held: Held,
  { maxRequests, maxBytes }: FlowControlOptions,
  sentAtMs: number,
): Bound | null {
  switch (reason) {
    case 'queue-full':
      return { reached: held.requests, limit: maxRequests };
    case 'queue-bytes':
      return { reached: held.bytes + bytes, limit: maxBytes };
    case 'ttft-slo':
      return { reached: sentAtMs - arrivedAtMs, limit: ttftSloMs! };
    case 'deadline':
    case 'expired':
      return { reached: sentAtMs - arrivedAtMs, limit: deadlineAtMs! - arrivedAtMs };
    case 'displaced':
      return null;
  }
}
