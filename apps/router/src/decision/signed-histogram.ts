import type { Metrics } from '@sluice/telemetry';

const SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];

/** Observes a difference in milliseconds; one that is not finite is left out. */
export type ObserveDifference = (differenceMs: number) => void;

/**
 * A histogram of differences in time, of either sign. The sum of a histogram must not fall, or its rate is nonsense: so it
 * counts magnitudes, and the label `direction` says whether it was later or sooner. Exactly 0 counts as later.
 * @returns the observer of one set of labels, to be kept
 */
export function signedHistogram<L extends string>(
  metrics: Metrics,
  options: { readonly name: string; readonly help: string; readonly labels: readonly L[] },
): (labels: Readonly<Record<L, string>>) => ObserveDifference {
  const histogram = metrics.histogram<string>({
    ...options,
    labels: [...options.labels, 'direction'],
    buckets: SECONDS,
  });
  return (labels) => {
    // Both signs are there from the beginning: what is absent cannot be subtracted.
    for (const direction of ['later', 'sooner']) histogram.zero({ ...labels, direction });
    const later = histogram.labels({ ...labels, direction: 'later' });
    const sooner = histogram.labels({ ...labels, direction: 'sooner' });
    return (differenceMs) => {
      if (Number.isFinite(differenceMs)) (differenceMs < 0 ? sooner : later).observe(Math.abs(differenceMs) / 1000);
    };
  };
}
