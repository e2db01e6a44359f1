import type { SimulatedRequest } from '../api.ts';

/** Ids from here on are those of unique text: request tails, then outputs. Block ids lie below. */
export const FIRST_TAIL = 2 ** 31;

/**
 * First token of the run of an id. Odd factors are bijections on 32 bits, so runs of different ids differ in every
 * place: where two prompts fork, their engine blocks get different hashes, and the chained hashes keep them apart.
 */
const firstToken = (id: number): number => Math.imul(id, 0x9e3779b1);

/** Token ids of the prompt of request number `index`. */
export function promptTokensOf(request: SimulatedRequest, index: number): Uint32Array {
  const { blocks, blockTokens, promptTokens } = request;
  const tokens = new Uint32Array(promptTokens);
  let at = 0;
  for (let block = 0; block < blocks.length && at < promptTokens; block++) {
    const end = Math.min(at + blockTokens, promptTokens);
    for (let token = firstToken(blocks[block]!); at < end; at++) tokens[at] = token++;
  }
  for (let token = firstToken(FIRST_TAIL + index); at < promptTokens; at++) tokens[at] = token++;
  return tokens;
}

/** Output token number `position` of request number `index`: text that no prompt has. */
export const outputToken = (index: number, position: number): number =>
  ((firstToken(FIRST_TAIL + index) ^ 0x55555555) + position) >>> 0;
