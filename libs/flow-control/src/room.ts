import type { FlowControlOptions } from './options.ts';
import type { Placement } from './ticket.ts';

/**
 * Whether the request may be sent to its worker now: free memory - queued need - uncached - share of the growth expected
 * of what runs >= 0, and the prefill backlog within its bound. Always when the worker has nothing of ours, so that
 * nothing waits for an event that cannot come, and when the prompt can never fit: the engine then says so.
 */
export function fits<T>(placement: Placement<T>, options: FlowControlOptions): boolean {
  const { line, uncachedTokens, room } = placement;
  if (line.running === 0) return true;
  if (room.queuedPrefillTokens > 0 && room.queuedPrefillTokens + uncachedTokens > options.backlogTokens) return false;
  if (!(room.kvCapacityTokens > 0) || uncachedTokens > room.kvCapacityTokens) return true;
  const free = room.kvCapacityTokens - room.usedKvTokens;
  return free - uncachedTokens - options.growthShare * room.growthTokens >= 0;
}
