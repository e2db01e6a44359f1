import type { RecordedRequest } from '@sluice/model';
import { hasKey, isCount, parseObject } from './trace-format.ts';
import type { TraceFormat } from './trace-format.ts';

const BLOCK_TOKENS = 16;

/** Traces with token ids (as LLMServingSim's): JSON lines with `arrival_time_ns`, `input_tok_ids` and `output_toks`. */
export const TOKENS: TraceFormat = {
  sign: 'JSON lines with "input_tok_ids"',
  recognizes: (line) => hasKey(line, 'input_tok_ids'),
  open() {
    const requests: RecordedRequest[] = [];
    const blockIds = createBlockIds();
    return {
      get count() {
        return requests.length;
      },
      add(line) {
        const row = parseObject(line);
        if (typeof row === 'string') return row;
        const { arrival_time_ns: arrivalNs, input_tok_ids: ids, output_toks: outputTokens } = row;
        if (typeof arrivalNs !== 'number' || !(arrivalNs >= 0)) return 'arrival_time_ns must be a number from 0';
        if (!isCount(outputTokens)) return 'output_toks must be a whole number from 0';
        if (!Array.isArray(ids) || ids.length === 0 || !ids.every(isCount)) {
          return 'input_tok_ids must be a list of token ids and not empty';
        }
        if (row['input_toks'] !== undefined && row['input_toks'] !== ids.length) {
          return `input_toks is ${String(row['input_toks'])}, but there are ${ids.length} input_tok_ids`;
        }
        const blocks = blockIds(ids);
        requests.push({ timestampMs: arrivalNs / 1e6, blocks, promptTokens: ids.length, outputTokens });
        return null;
      },
      trace: () => ({ blockTokens: BLOCK_TOKENS, quantumMs: 0, requests }),
    };
  },
};

/** Numbers blocks so that two ids are equal if and only if their tokens and everything before them are. */
function createBlockIds(): (tokens: readonly number[]) => number[] {
  const known = new Map<string, number>();
  return (tokens) => {
    const blocks: number[] = [];
    let parent = -1;
    for (let end = BLOCK_TOKENS; end <= tokens.length; end += BLOCK_TOKENS) {
      const key = `${parent}:${tokens.slice(end - BLOCK_TOKENS, end).join()}`;
      parent = known.get(key) ?? known.size;
      known.set(key, parent);
      blocks.push(parent);
    }
    return blocks;
  };
}
