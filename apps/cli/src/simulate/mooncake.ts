import { fromMooncake } from '@sluice/twin';
import type { MooncakeRow } from '@sluice/twin';
import { hasKey, isCount, parseObject } from './trace-format.ts';
import type { TraceFormat } from './trace-format.ts';

/** Ids of blocks are 32-bit in the twin. */
const MAX_BLOCK_ID = 2 ** 31 - 1;
const BLOCK_TOKENS = 512;

/** Mooncake traces (FAST'25 release): JSON lines with `timestamp` in ms, lengths, and ids of 512-token blocks. */
export const MOONCAKE: TraceFormat = {
  sign: 'JSON lines with "hash_ids"',
  recognizes: (line) => hasKey(line, 'hash_ids'),
  open() {
    const rows: MooncakeRow[] = [];
    return {
      get count() {
        return rows.length;
      },
      add(line) {
        const row = parseObject(line);
        if (typeof row === 'string') return row;
        const { timestamp, input_length: inputTokens, output_length: outputTokens, hash_ids: hashIds } = row;
        if (!isCount(timestamp)) return 'timestamp must be a whole number of milliseconds from 0';
        if (!isCount(inputTokens)) return 'input_length must be a whole number from 0';
        if (!isCount(outputTokens)) return 'output_length must be a whole number from 0';
        if (!Array.isArray(hashIds) || !hashIds.every((id) => isCount(id) && id <= MAX_BLOCK_ID)) {
          return `hash_ids must be a list of whole numbers from 0 to ${MAX_BLOCK_ID}`;
        }
        if (hashIds.length > Math.ceil(inputTokens / BLOCK_TOKENS)) {
          return `${hashIds.length} hash_ids are too many for ${inputTokens} tokens in blocks of ${BLOCK_TOKENS}`;
        }
        rows.push({ timestampMs: timestamp, inputTokens, outputTokens, hashIds: hashIds as number[] });
        return null;
      },
      requests: ({ speed, seed, kvTokens }) => fromMooncake(rows, { speed, jitterSeed: seed, kvTokens }),
    };
  },
};
