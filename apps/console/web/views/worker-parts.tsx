import type { Condition } from '../state/workers.ts';

const WORDS: Readonly<Record<Condition, string>> = {
  up: 'up',
  late: 'late',
  prefill: 'prefill only',
  differs: 'differs',
  unknown: 'not seen',
  down: 'down',
};

/** State as a mark and a word: colour alone says nothing to some. */
export const ConditionMark = ({ condition }: { condition: Condition }) => (
  <span class={`condition ${condition}`}>
    <span class="mark" />
    {WORDS[condition]}
  </span>
);

export const PREFIXES = ['approximate', 'incomplete', 'live'] as const;
