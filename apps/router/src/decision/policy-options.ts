import { createPolicy } from '@sluice/routing';
import type { PolicyOptions } from '@sluice/routing';
import { z } from 'zod';
import { numbersByName } from '../flow/numbers-by-name.ts';

const ALLOWED = 'policy.option=number pairs separated by commas';

/** A setting of policies' options: `expectedLatency.duplicatePrice=2,boundedHash.loadFactor=1.5`. */
export const policyOptionsField = () =>
  numbersByName('number', ALLOWED, Number.isFinite)
    .transform((values, context): PolicyOptions => {
      const options = byGroup(values);
      const made = createPolicy('random', options);
      if (made.kind === 'policy') return options;
      context.addIssue({ code: 'custom', message: `is wrong: ${made.message}` });
      return z.NEVER;
    })
    .meta({ allowed: ALLOWED });

/** `{ 'a.x': 1 }` as `{ a: { x: 1 } }`. */
function byGroup(values: Readonly<Record<string, number>>): PolicyOptions {
  const groups: Record<string, Record<string, number>> = {};
  for (const [name, value] of Object.entries(values)) {
    const [group = '', option = ''] = name.split('.', 2);
    (groups[group] ??= {})[option] = value;
  }
  return groups;
}
