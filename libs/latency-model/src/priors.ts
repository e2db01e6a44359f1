import { API_TIME, STEP_PROFILE_IDS, STEP_PROFILES } from '@sluice/model';
import type { StepParameters } from '@sluice/model';

export const PROFILE_IDS = ['default', ...STEP_PROFILE_IDS] as const;
export type ProfileId = (typeof PROFILE_IDS)[number];

/**
 * Step constants on day one, in milliseconds: the published profiles, and `default`, a mid-size dense model on one modern
 * GPU, for an engine of which nothing is known.
 */
export const PRIORS: Readonly<Record<ProfileId, StepParameters>> = {
  default: { t0Ms: 2, twMs: 10, aMsPerToken: 0.04, kAttMs: 0.7e-6, kKvMs: 0.04e-3, kSeqMs: 0.005, ...API_TIME },
  ...STEP_PROFILES,
};
