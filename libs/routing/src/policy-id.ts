/** Every policy that a router runs, the default first. */
export const POLICY_IDS = [
  'expected-latency',
  'round-robin',
  'random',
  'least-request',
  'p2c',
  'session-hash',
  'bounded-hash',
  'token-load',
  'weighted-3-2-2',
  'sticky-until-saturated',
  'dynamo-kv',
] as const;

/** Those, and what only a simulation can run because it needs to know the future. */
export const SIMULATED_POLICY_IDS = [...POLICY_IDS, 'oracle'] as const;
export type PolicyId = (typeof SIMULATED_POLICY_IDS)[number];
