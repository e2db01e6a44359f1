import type { Ending } from '../state/requests.ts';

const WORDS: Readonly<Record<Ending, string>> = {
  open: 'in flight',
  moved: 'moved on',
  gone: 'not known',
  completed: 'completed',
  retried: 'retried',
  rejected: 'rejected',
  aborted: 'client left',
  failed: 'failed',
};

/** How a request ended, as a mark and a word. */
export const EndingMark = ({ ending }: { ending: Ending }) => (
  <span class={`ending ${ending}`}>
    <span class="mark" />
    {WORDS[ending]}
  </span>
);
