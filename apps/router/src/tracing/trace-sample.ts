import type { TraceShare } from '@sluice/telemetry';
import { z } from 'zod';

const ALLOWED = 'off or a number from 0 to 1';

const isShare = (text: string): boolean => text === 'off' || (Number(text) >= 0 && Number(text) <= 1);

/** The setting of how many requests are traced. */
export const traceSampleField = (): z.ZodType<TraceShare, string> =>
  z
    .string()
    .refine(isShare, `must be ${ALLOWED}`)
    .transform((text) => (text === 'off' ? text : Number(text)))
    .meta({ allowed: ALLOWED });
