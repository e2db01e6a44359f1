import { z } from 'zod';

/**
 * A setting of numbers by name, `name=number,name=number`; names may hold a `=` themselves.
 * @param what a number is called
 * @param allowed the setting in words
 */
export const numbersByName = (what: string, allowed: string, isAllowed: (value: number) => boolean) =>
  z
    .string()
    .transform((text) => text.split(',').map((pair) => pair.trim()))
    .refine((pairs) => pairs.every((pair) => isPair(pair, isAllowed)), `must be name=${what} pairs separated by commas`)
    .transform((pairs) => Object.fromEntries(pairs.map((pair) => [nameOf(pair), valueOf(pair)])))
    .meta({ allowed });

const nameOf = (pair: string): string => pair.slice(0, pair.lastIndexOf('=')).trim();
const valueOf = (pair: string): number => Number(pair.slice(pair.lastIndexOf('=') + 1));
const isPair = (pair: string, isAllowed: (value: number) => boolean): boolean =>
  pair.includes('=') && nameOf(pair) !== '' && pair.at(-1) !== '=' && isAllowed(valueOf(pair));
