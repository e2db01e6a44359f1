/** Normal with mean 0 and deviation 1 from two uniform numbers in [0, 1) (Box and Muller, 1958); 1 - u is never 0. */
export const normalOf = (u: number, v: number): number => Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v);

/** Draws a normal number with mean 0 and deviation 1; takes two of `rng`. */
export const normal = (rng: () => number): number => normalOf(rng(), rng());
