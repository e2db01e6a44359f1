import { seededRng } from '@sluice/numerics';

// Common short English words: nearly one token each in every tokenizer that was trained on English.
const WORDS =
  `the of and to in is was for on that with as at by from it his an were are which this also be had or has first one their its new after but who
not they have her she two been other when there all during into school time may years more most only over city some would world where later up such
used many can state about national out known university united then made people part under no between use before number including well since until
began more being these early second long became team same area now each members end both high family life different against work group four way`.split(
    /\s+/,
  );

/**
 * Text of about `tokens` tokens, one word a token, that is the same for the same `id` and different from the first words
 * on for different ones.
 */
export function syntheticText(id: number, tokens: number): string {
  const rng = seededRng(id * 2 + 1);
  let text = ` ${id}`;
  for (let i = 2; i < tokens; i++) text += ` ${WORDS[Math.floor(rng() * WORDS.length)]!}`;
  return `${text}\n`;
}

/** Prompt of a request that is given as block ids: equal ids are equal text, the last block is cut to the rest. */
export function textOfBlocks(ids: readonly number[], totalTokens: number, blockTokens: number): string {
  return ids
    .map((id, i) => syntheticText(id, Math.min(blockTokens, Math.max(8, totalTokens - i * blockTokens))))
    .join('');
}
