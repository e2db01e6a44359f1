import type { PolicyId } from './policy-id.ts';

/**
 * Why a decision fell as it did: per row the policy's named terms and their sum. One is made per pool and written again
 * by every decision; a decision record copies what it keeps.
 */
export interface DecisionTerms {
  /** Unit of the values and of `cost`. */
  readonly unit: 'ms' | 'score' | 'tokens' | 'blocks' | 'requests';
  /** The policy that decided: another than asked when that one had to degrade, see `expected-latency`. */
  readonly basis: PolicyId;
  /** Rows written. Arrays may be longer. */
  readonly size: number;
  readonly names: readonly string[];
  /** `values[k][row]` is the term `names[k]`. */
  readonly values: readonly Float64Array[];
  /** What is compared: the smallest wins. Infinity for a worker that was not considered. */
  readonly cost: Float64Array;
  /** Rows that cost this or less were not told apart by cost. -Infinity where only equal costs tie. */
  tieCost: number;
  /** Makes room for `size` rows of the terms `names`. Called by policies; values are then theirs to write. */
  layout(basis: PolicyId, unit: DecisionTerms['unit'], names: readonly string[], size: number): void;
}

class ReusedTerms implements DecisionTerms {
  unit: DecisionTerms['unit'] = 'ms';
  basis: PolicyId = 'expected-latency';
  size = 0;
  names: readonly string[] = [];
  values: Float64Array[] = [];
  cost: Float64Array;
  tieCost = -Infinity;

  constructor(capacity: number) {
    this.cost = new Float64Array(capacity);
  }

  layout(basis: PolicyId, unit: DecisionTerms['unit'], names: readonly string[], size: number): void {
    this.basis = basis;
    this.unit = unit;
    this.names = names;
    this.size = size;
    this.tieCost = -Infinity;
    if (size > this.cost.length) {
      this.cost = new Float64Array(size * 2);
      this.values = [];
    }
    while (this.values.length < names.length) this.values.push(new Float64Array(this.cost.length));
  }
}

/** @param capacity workers to make room for; it grows when exceeded. */
export const createDecisionTerms = (capacity = 16): DecisionTerms => new ReusedTerms(capacity);
