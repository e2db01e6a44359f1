import type { FlowControlOptions } from './options.ts';
import type { Line } from './line.ts';
import type { Room } from './ticket.ts';

/** What must stay free when a request is sent: nothing, or room for those who come next. */
export interface Reserve {
  readonly backlogTokens: number;
  readonly memoryTokens: number;
  /** Of the growth expected of what runs, counted as taken already. */
  readonly growthShare: number;
}

/**
 * Whether the first of a line may be sent to its worker now: free memory - queued need - uncached - share of the growth expected
 * of what runs >= what must stay free, and the prefill backlog within its bound. Always when the worker has nothing of
 * ours, so that nothing waits for an event that cannot come, and when the prompt can never fit: the engine then says so.
 *
 * A full worker is no reason to wait for a request with little to compute: engines make room by preempting the newest
 * request, and what that loses is its prompt's computation. It may take the worker past its memory by `overcommitShare`.
 */
export function fits<T>(
  line: Line<T>,
  uncachedTokens: number,
  room: Room,
  options: FlowControlOptions,
  reserve: Reserve,
): boolean {
  if (line.running === 0) return true;
  const backlog = options.backlogTokens - reserve.backlogTokens;
  if (room.queuedPrefillTokens > 0 && room.queuedPrefillTokens + uncachedTokens > backlog) return false;
  const { kvCapacityTokens } = room;
  if (!(kvCapacityTokens > 0) || uncachedTokens > kvCapacityTokens) return true;
  const free = kvCapacityTokens - room.usedKvTokens - reserve.growthShare * room.growthTokens;
  const kept = Math.min(reserve.memoryTokens, options.reserveShare * kvCapacityTokens);
  const isCheap = kept === 0 && uncachedTokens <= options.cheapTokens;
  const overcommit = isCheap ? options.overcommitShare * kvCapacityTokens : 0;
  return free - uncachedTokens + overcommit >= kept;
}
