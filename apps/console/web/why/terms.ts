/** Names and meanings of the terms of a cost, as docs/how-a-decision-is-made.md has them; others show as they are called. */
const KNOWN: Readonly<Record<string, readonly [label: string, meaning: string]>> = {
  ttft: ['First token', 'Predicted time to its first token: what is queued there and its own uncached prompt'],
  memoryWait: ['Memory wait', 'Own wait until there is KV memory for it'],
  ownDecode: ['Own decode', 'Predicted time of its own output there'],
  duplicate: ['Duplicate prefix', 'A prefix that another worker holds is stored once more'],
  memory: ['KV memory', 'Tokens that it will hold, for how long, at a price that rises as the cache fills'],
  laterSteps: ['Later steps', 'Its context makes every later step there longer'],
  stall: ['Stall', 'Its prefill makes those who decode there wait'],
  slo: ['Service level', 'Expected violations of the limits that it named'],
  queuedPrefillTokens: ['Queued tokens', 'Prompt tokens that wait there'],
  uncachedTokens: ['Uncached tokens', 'Of its own prompt, what is not cached there'],
};

export const labelOf = (term: string): string => KNOWN[term]?.[0] ?? term;
export const meaningOf = (term: string): string => KNOWN[term]?.[1] ?? term;
/** Class of the colour of the term in this place; more terms begin again. */
export const toneOf = (place: number): string => `tone-${place % 8}`;
