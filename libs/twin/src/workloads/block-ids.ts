/** Blocks `first`, `first` + 1, ...: the text of `count` runs. */
export const blockRun = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

/** Hands out block ids that nobody else has. */
export function createBlockIds(): (count: number) => number {
  let next = 0;
  return (count) => {
    const first = next;
    next += count;
    return first;
  };
}

/** Longest run of which both texts are whole multiples. */
export const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));
