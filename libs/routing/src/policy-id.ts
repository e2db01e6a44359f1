/** Every policy that {@link createPolicy} makes, the default first. */
export const POLICY_IDS = [
  'expected-latency',
  'round-robin',
  'random',
  'least-request',
  'p2c',
  'token-load',
  'weighted-3-2-2',
] as const;
export type PolicyId = (typeof POLICY_IDS)[number];
