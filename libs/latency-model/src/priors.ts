import type { StepParameters } from '@sluice/model';

export const PROFILE_IDS = ['default', 'llama-3.1-8b-h100', 'qwen3-32b-tp2-h100', 'llama-3.1-70b-tp4-h100'] as const;
export type ProfileId = (typeof PROFILE_IDS)[number];

/** An engine's API adds about 15 ms and 12 us per prompt token in front of its first step. */
const API = { apiBaseMs: 15, apiPerTokenMs: 0.012 };

/**
 * Step constants on day one, in milliseconds. The three named ones follow from published kernel profiles and weights per
 * GPU divided by bandwidth (README.md has the sources); `default` is a mid-size dense model on one modern GPU, for an
 * engine of which nothing is known.
 */
export const PRIORS: Readonly<Record<ProfileId, StepParameters>> = {
  default: { t0Ms: 2, twMs: 10, aMsPerToken: 0.04, kAttMs: 0.7e-6, kKvMs: 0.04e-3, kSeqMs: 0.005, ...API },
  'llama-3.1-8b-h100': {
    t0Ms: 1.2,
    twMs: 5.9,
    aMsPerToken: 0.024,
    kAttMs: 0.55e-6,
    kKvMs: 0.046e-3,
    kSeqMs: 0.005,
    ...API,
  },
  'qwen3-32b-tp2-h100': {
    t0Ms: 2.2,
    twMs: 12.3,
    aMsPerToken: 0.053,
    kAttMs: 0.88e-6,
    kKvMs: 0.046e-3,
    kSeqMs: 0.005,
    ...API,
  },
  'llama-3.1-70b-tp4-h100': {
    t0Ms: 2.7,
    twMs: 13.3,
    aMsPerToken: 0.066,
    kAttMs: 0.55e-6,
    kKvMs: 0.0287e-3,
    kSeqMs: 0.005,
    ...API,
  },
};
