import { DYNAMO, EXPECTED, LEAST_REQUEST, STICKY, STICKY_40K, WEIGHTED_322 } from './arms.ts';
import type { Arm } from './arms.ts';
import { PROTOTYPE } from './published.ts';
import { OUTPUT_NOT_CACHED } from './scenario.ts';

/** The prototype's engines dropped what they put out; under that rule the two are compared. */
export const CELLS = PROTOTYPE.map((cell) => ({ ...cell, scenario: cell.scenario + OUTPUT_NOT_CACHED }));

/** In the order of the prototype's columns. */
export const CELL_ARMS: readonly Arm[] = [LEAST_REQUEST, WEIGHTED_322, STICKY, STICKY_40K, DYNAMO, EXPECTED];
