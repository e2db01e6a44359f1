import type { StepParameters } from './step-parameters.ts';

/** Models on hardware whose step constants are known from published measurements. */
export const STEP_PROFILE_IDS = ['llama-3.1-8b-h100', 'qwen3-32b-tp2-h100', 'llama-3.1-70b-tp4-h100'] as const;
export type StepProfileId = (typeof STEP_PROFILE_IDS)[number];

/**
 * Time in front of the engine (HTTP, template, tokenizer): BLIS fits 15.6 ms at its base; the slope is what remains of
 * the time to first token that llm-d publishes for prompts that are wholly cached (0.12 to 0.15 s at 7,200 tokens).
 */
export const API_TIME: Pick<StepParameters, 'apiBaseMs' | 'apiPerTokenMs'> = { apiBaseMs: 15, apiPerTokenMs: 0.012 };

/** BF16 models on H100s: one GPU, tensor parallel over two, tensor parallel over four. */
export const STEP_PROFILES: Readonly<Record<StepProfileId, StepParameters>> = {
  'llama-3.1-8b-h100': {
    // BLIS: 32.1 us a layer and 0.126 ms a step; 32 layers
    t0Ms: 1.2,
    // 14.96 GiB of weights at 0.81 of 3.35 TB/s; Vidur measures a floor of 5.5 ms for 7B
    twMs: 5.9,
    // Vidur's H100 GEMMs: 19.8 to 20.5 us for 7B, scaled to 8B's parameters
    aMsPerToken: 0.024,
    // llm-d's prefill fit, 2 x 443 ps for Qwen3-32B on two GPUs, scaled by layers x heads
    kAttMs: 0.55e-6,
    // 131,072 B of KV a token at 0.85 of 3.35 TB/s
    kKvMs: 0.046e-3,
    // BLIS: 4.4 us a sequence
    kSeqMs: 0.005,
    ...API_TIME,
  },
  'qwen3-32b-tp2-h100': {
    // BLIS, 64 layers
    t0Ms: 2.2,
    // half of 61 GiB a GPU at 0.8 of 3.35 TB/s; Vidur measures 13.3 ms for CodeLlama-34B TP2, t0 included
    twMs: 12.3,
    // Vidur's GEMMs for CodeLlama-34B TP2, 50.5 to 51.8 us, and an all-reduce over two GPUs
    aMsPerToken: 0.053,
    // 2 x 443 ps: llm-d's published fit T(P) = 42.5 us P + 443 ps P^2
    kAttMs: 0.88e-6,
    // 262,144 B of KV a token over two GPUs at 0.85 of 3.35 TB/s
    kKvMs: 0.046e-3,
    kSeqMs: 0.005,
    ...API_TIME,
  },
  'llama-3.1-70b-tp4-h100': {
    // BLIS, 80 layers
    t0Ms: 2.7,
    // a quarter of 131 GiB a GPU at 0.79 of 3.35 TB/s; Vidur measures 15.0 ms, t0 included
    twMs: 13.3,
    // measured: llm-d's prefills of 16,384 tokens on four H100 run at 13,300 tokens/s, less attention and launches; Vidur's GEMMs
    // for 70B TP4, 54 to 58 us, with an all-reduce over four GPUs (12.4 us) say 66 to 70 us, LLMServingSim 72
    aMsPerToken: 0.07,
    // llm-d's fit scaled by layers x heads / GPUs
    kAttMs: 0.55e-6,
    // 327,680 B of KV a token over four GPUs at 0.85 of 3.35 TB/s
    kKvMs: 0.0287e-3,
    kSeqMs: 0.005,
    ...API_TIME,
  },
};
