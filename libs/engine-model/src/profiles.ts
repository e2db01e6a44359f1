import { STEP_PROFILE_IDS, STEP_PROFILES } from '@sluice/model';
import type { StepParameters, StepProfileId } from '@sluice/model';

/** Constants of one model on one hardware configuration. */
export interface EngineProfile {
  readonly id: string;
  /** What the constants describe, for people. */
  readonly title: string;
  readonly step: StepParameters;
  /** Tokens of KV that one replica holds. */
  readonly kvTokens: number;
  /** Tokens of one KV block. */
  readonly blockSize: number;
  /** Token budget of one step (`max_num_batched_tokens`). */
  readonly maxBatchTokens: number;
  /** Sequences in one step (`max_num_seqs`). */
  readonly maxSeqs: number;
  /** Whether blocks that output fills are cached like those of prompts; default true, as in vLLM. */
  readonly cachesOutput?: boolean;
}

/** vLLM's defaults of an API server on an H100. */
const SERVER = { blockSize: 16, maxBatchTokens: 8192, maxSeqs: 1024 } as const;

const LLAMA_8B: EngineProfile = {
  id: 'llama-3.1-8b-h100',
  title: 'Llama-3.1-8B, BF16, one H100',
  step: STEP_PROFILES['llama-3.1-8b-h100'],
  // (80 GiB x 0.9 - 14.96 weights - 5.5 - 0.15) / 131,072 B, in whole blocks of 16
  kvTokens: 420_976,
  ...SERVER,
};

const QWEN3_32B: EngineProfile = {
  id: 'qwen3-32b-tp2-h100',
  title: 'Qwen3-32B, BF16, tensor parallel over two H100',
  step: STEP_PROFILES['qwen3-32b-tp2-h100'],
  // published by llm-d (312k by the memory formula)
  kvTokens: 307_328,
  ...SERVER,
};

const LLAMA_70B: EngineProfile = {
  id: 'llama-3.1-70b-tp4-h100',
  title: 'Llama-3.1-70B, BF16, tensor parallel over four H100',
  step: STEP_PROFILES['llama-3.1-70b-tp4-h100'],
  // published by llm-d (487k by the memory formula)
  kvTokens: 461_376,
  ...SERVER,
};

/** Ids of the profiles shipped. */
export const PROFILE_IDS = STEP_PROFILE_IDS;
export type ProfileId = StepProfileId;

/** The profiles shipped; published throughputs are reproduced to about 10 to 25 % when saturated. */
export const PROFILES: Readonly<Record<ProfileId, EngineProfile>> = {
  'llama-3.1-8b-h100': LLAMA_8B,
  'qwen3-32b-tp2-h100': QWEN3_32B,
  'llama-3.1-70b-tp4-h100': LLAMA_70B,
};
