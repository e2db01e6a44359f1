/** How far simulated numbers can be trusted: shown beside them wherever people read them. The README says the same. */
export const FIDELITY =
  'A simulated number is as good as the engine model. Models of this kind are within some 10 to 25 % of published clusters when ' +
  'saturated and further off near the knee, where a TTFT below 100 ms is mostly the API constant; this one has not been held ' +
  'against them yet. Compare policies by it, with several seeds; do not quote it as a measurement.';
