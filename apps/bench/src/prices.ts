import { EXPECTED_LATENCY_DEFAULTS } from '@sluice/routing';
import type { ExpectedLatencyOptions } from '@sluice/routing';
import { EXPECTED } from './arms.ts';
import type { Arm } from './arms.ts';

/** The default with some prices at a multiple of what they are. */
export interface Perturbed {
  readonly price: string;
  readonly factor: number;
  readonly arm: Arm;
}

const FACTORS = [0.5, 2];
const ALL = 'all of them';

/** Names of the prices of the objective; the other options say what a tie is. */
export const PRICES = (Object.keys(EXPECTED_LATENCY_DEFAULTS) as (keyof ExpectedLatencyOptions)[]).filter((name) =>
  name.endsWith('Price'),
);

/** Each price alone, and all at once, halved and doubled. */
export const PERTURBED: readonly Perturbed[] = [...PRICES, ALL].flatMap((price) =>
  FACTORS.map((factor) => {
    const moved = price === ALL ? PRICES : [price as keyof ExpectedLatencyOptions];
    const expectedLatency = Object.fromEntries(
      moved.map((name): [string, number] => [name, factor * EXPECTED_LATENCY_DEFAULTS[name]]),
    );
    return { price, factor, arm: { ...EXPECTED, label: `${price} x ${factor}`, options: { expectedLatency } } };
  }),
);
