import type { FleetColumns } from './candidates.ts';

/** Number of workers that may be sent to. */
export function countUp({ up, size }: Pick<FleetColumns, 'up' | 'size'>): number {
  let count = 0;
  for (let row = 0; row < size; row++) count += up[row]!;
  return count;
}
