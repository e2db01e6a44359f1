/** How far simulated numbers can be trusted: shown beside them wherever people read them. The README says the same. */
export const FIDELITY =
  'A simulated number is as good as the engine model. Held against ladders that llm-d published for H100s, saturated stages are within 25 % ' +
  'in time to first token and tokens per second with Qwen3-32B, queues 35 % too short with Llama-3.1-70B under random routing, and the order of ' +
  'policies is right; near the knee errors reach 60 %. Compare policies by it, with several seeds; do not quote it as a measurement.';
