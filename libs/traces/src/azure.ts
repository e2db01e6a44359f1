import type { RecordedRequest } from '@sluice/model';
import { isCount } from './trace-format.ts';
import type { TraceFormat } from './trace-format.ts';

/** Nothing is shared, so any length of block does. */
const BLOCK_TOKENS = 16;
const HEADER = 'TIMESTAMP,ContextTokens,GeneratedTokens';
const TIME = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?(?:Z|\+00:00)?$/;

/** Azure LLM inference traces: CSV of UTC time, prompt tokens and output tokens. They say nothing of prefixes. */
export const AZURE: TraceFormat = {
  sign: `CSV with the header ${HEADER}`,
  recognizes: (line) => line.trim() === HEADER,
  open() {
    const requests: RecordedRequest[] = [];
    let headed = false;
    return {
      get count() {
        return requests.length;
      },
      add(line) {
        if (!headed) {
          headed = true;
          return line.trim() === HEADER ? null : `the header must be ${HEADER}`;
        }
        const fields = line.trim().split(',');
        if (fields.length !== 3) return `a row has 3 fields, this one has ${fields.length}`;
        const timestampMs = parseTimeMs(fields[0]!);
        if (timestampMs === null) return `'${fields[0]}' is no time such as 2023-11-16 18:17:03.9799600`;
        const [promptTokens, outputTokens] = [parseCount(fields[1]!), parseCount(fields[2]!)];
        if (promptTokens === null) return `ContextTokens must be a whole number from 0, not '${fields[1]}'`;
        if (outputTokens === null) return `GeneratedTokens must be a whole number from 0, not '${fields[2]}'`;
        requests.push({ timestampMs, blocks: [], promptTokens, outputTokens });
        return null;
      },
      trace: () => ({ blockTokens: BLOCK_TOKENS, quantumMs: 0, requests }),
    };
  },
};

/** Milliseconds since the epoch: Date.parse keeps three decimals of the seven that the traces have. */
function parseTimeMs(text: string): number | null {
  const [, date, time, fraction] = TIME.exec(text) ?? [];
  if (date === undefined) return null;
  const ms = Date.parse(`${date}T${time}Z`) + (fraction === undefined ? 0 : Number(`0${fraction}`) * 1000);
  return Number.isNaN(ms) ? null : ms;
}

function parseCount(text: string): number | null {
  const value = text.trim() === '' ? NaN : Number(text);
  return isCount(value) ? value : null;
}
