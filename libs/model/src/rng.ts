/** Uniform in [0, 1). Randomness is an argument everywhere, so that a seed reproduces a run. */
export type Rng = () => number;
