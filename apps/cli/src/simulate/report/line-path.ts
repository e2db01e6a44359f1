import { at } from './axes.ts';

/** A point of a line in the drawing; null breaks the line. */
export type Position = readonly [x: number, y: number] | null;

/** Path data of a line. Points on a level stretch between its ends are left out: they would be most of a timeline. */
export function linePath(positions: readonly Position[]): string {
  let path = '';
  for (const [index, position] of positions.entries()) {
    if (position === null) continue;
    const before = positions[index - 1] ?? null;
    const after = positions[index + 1] ?? null;
    const [x, y] = [at(position[0]), at(position[1])];
    if (before === null) {
      path += `M${x} ${y}`;
    } else if (after === null || at(before[1]) !== y || at(after[1]) !== y) {
      path += `L${x} ${y}`;
    }
  }
  return path;
}

/** Path data of the area between two lines, over the stretches where both have points. */
export function bandPath(lower: readonly Position[], upper: readonly Position[]): string {
  let path = '';
  let start = 0;
  for (let end = 0; end <= lower.length; end++) {
    const open = end < lower.length && lower[end] !== null && (upper[end] ?? null) !== null;
    if (open) continue;
    if (end > start + 1) {
      const back = lower.slice(start, end).reverse();
      path += `${linePath(upper.slice(start, end))}${linePath(back).replace('M', 'L')}Z`;
    }
    start = end + 1;
  }
  return path;
}
