/**
 * Constants of one engine step, in milliseconds:
 * `T_step = t0 + max(tw, a*n_tok) + kAtt*sum(c*(ctx + c/2)) + kKv*sum(ctx_decode) + kSeq*n_seq`,
 * and of the time an engine's API adds in front: `apiBase + apiPerToken * prompt tokens`.
 */
export interface StepParameters {
  /** Launch and sampler overhead of a step. */
  readonly t0Ms: number;
  /** Time to read the weights once: the floor of a step. */
  readonly twMs: number;
  /** Per token in the step (GEMM and all-reduce). */
  readonly aMsPerToken: number;
  /** Per (query, key) pair of a prefill chunk. */
  readonly kAttMs: number;
  /** Per context token of the decodes in the step. */
  readonly kKvMs: number;
  /** Per sequence in the step. */
  readonly kSeqMs: number;
  readonly apiBaseMs: number;
  readonly apiPerTokenMs: number;
}
