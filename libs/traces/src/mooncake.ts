import type { RecordedRequest } from '@sluice/model';
import { hasKey, isCount, parseObject } from './trace-format.ts';
import type { TraceFormat } from './trace-format.ts';

/** What a trace may say: see `RecordedRequest`. */
const MAX_BLOCK_ID = 2 ** 31 - 1;
const BLOCK_TOKENS = 512;
const QUANTUM_MS = 3000;

/** Mooncake traces (FAST'25 release): JSON lines with `timestamp` in ms (rounded to 3 s), lengths, and ids of 512-token blocks. */
export const MOONCAKE: TraceFormat = {
  sign: 'JSON lines with "hash_ids"',
  recognizes: (line) => hasKey(line, 'hash_ids'),
  open() {
    const requests: RecordedRequest[] = [];
    return {
      get count() {
        return requests.length;
      },
      add(line) {
        const row = parseObject(line);
        if (typeof row === 'string') return row;
        const { timestamp, input_length: promptTokens, output_length: outputTokens, hash_ids: blocks } = row;
        if (!isCount(timestamp)) return 'timestamp must be a whole number of milliseconds from 0';
        if (!isCount(promptTokens)) return 'input_length must be a whole number from 0';
        if (!isCount(outputTokens)) return 'output_length must be a whole number from 0';
        if (!Array.isArray(blocks) || !blocks.every((id) => isCount(id) && id <= MAX_BLOCK_ID)) {
          return `hash_ids must be a list of whole numbers from 0 to ${MAX_BLOCK_ID}`;
        }
        if (blocks.length > Math.ceil(promptTokens / BLOCK_TOKENS)) {
          return `${blocks.length} hash_ids are too many for ${promptTokens} tokens in blocks of ${BLOCK_TOKENS}`;
        }
        requests.push({ timestampMs: timestamp, blocks: blocks as number[], promptTokens, outputTokens });
        return null;
      },
      trace: () => ({ blockTokens: BLOCK_TOKENS, quantumMs: QUANTUM_MS, requests }),
    };
  },
};
