import { EventQueue } from './event-queue.ts';

/** Something that happens at a time of its own choosing. */
export interface Timed {
  fire(nowMs: number): void;
}

/** The virtual clock: whatever is due happens in order of time. */
export type Timeline = EventQueue<Timed>;
export const createTimeline = (): Timeline => new EventQueue<Timed>();
