import { z } from 'zod';
import { defineSubject } from './subject.ts';

/** Another version of a service's overrides is in the store: to be read from there. */
export const configChanged = defineSubject(
  'config.v1',
  z.strictObject({ service: z.string(), version: z.number().int() }),
);
