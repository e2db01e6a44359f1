import type { SamplerId } from './tracing-config.ts';

/** Which traces are taken. Every sampler of the configuration comes down to these three. */
export interface Sampling {
  /** False: nothing is made here, and what a client says passes through. */
  readonly isOn: boolean;
  /** Whether a client that has decided decides here too. */
  readonly followsParent: boolean;
  /** Share of the others, 0 to 1. */
  readonly share: number;
}

/** Of requests that begin here, a share from 0 to 1, or no traces at all. */
export type TraceShare = number | 'off';

const OFF: Sampling = { isOn: false, followsParent: true, share: 0 };
const RANDOM_DIGITS = 13;
const RANDOM_RANGE = 16 ** RANDOM_DIGITS;

/**
 * @param sampler of the configuration; null: none is named
 * @param ratio of the ratio samplers
 * @param share goes before both, but whether clients decide stays; null: they are in force
 */
export function samplingOf(sampler: SamplerId | null, ratio: number, share: TraceShare | null): Sampling {
  if (share === 'off' || (share === null && sampler === null)) return OFF;
  const followsParent = sampler === null || sampler.startsWith('parentbased_');
  if (share !== null) return { isOn: true, followsParent, share };
  const own = sampler!.endsWith('always_on') ? 1 : sampler!.endsWith('always_off') ? 0 : ratio;
  return { isOn: true, followsParent, share: own };
}

/**
 * Whether a trace is taken: by its client's word where that counts, else by the random part of its id, so that every
 * process takes the same ones (the 56 last bits, at least 1 - share of their range: "Consistent Probability Sampling" of
 * OpenTelemetry's specification).
 * @param parentSampled what the client decided; null: the trace begins here
 */
export function isSampled({ followsParent, share }: Sampling, traceId: string, parentSampled: boolean | null): boolean {
  if (parentSampled !== null && followsParent) return parentSampled;
  if (share <= 0) return false;
  return share >= 1 || parseInt(traceId.slice(18, 18 + RANDOM_DIGITS), 16) >= (1 - share) * RANDOM_RANGE;
}
