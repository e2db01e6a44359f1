import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One request of a Mooncake trace (FAST'25 release): prompts are given as ids of 512-token blocks. */
export interface MooncakeRequest {
  readonly timestampMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly hashIds: readonly number[];
}

export const MOONCAKE_BLOCK_TOKENS = 512;

/** Parses the first `limit` lines of a trace. @throws Error naming file and line of the first bad one. */
export function parseMooncake(text: string, file: string, limit = Infinity): MooncakeRequest[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(0, limit).map((line, i) => {
    const bad = (reason: string): Error => new Error(`${file}:${i + 1}: ${reason}`);
    let row: { timestamp?: unknown; input_length?: unknown; output_length?: unknown; hash_ids?: unknown };
    try {
      row = JSON.parse(line) as typeof row;
    } catch (error) {
      throw bad(`no JSON: ${(error as Error).message}`);
    }
    const { timestamp, input_length: inputTokens, output_length: outputTokens, hash_ids: hashIds } = row;
    const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;
    if (!isCount(timestamp) || !isCount(inputTokens) || !isCount(outputTokens)) {
      throw bad('timestamp, input_length and output_length must be whole numbers from 0');
    }
    if (!Array.isArray(hashIds) || !hashIds.every(isCount))
      throw bad('hash_ids must be a list of whole numbers from 0');
    return { timestampMs: timestamp, inputTokens, outputTokens, hashIds };
  });
}

/** Reads `mooncake-fast25/conversation_trace.jsonl` below `tracesDir`, or says (as a value) that it is not there. */
export async function loadMooncakeConversation(
  tracesDir: string,
  limit: number,
): Promise<{ kind: 'trace'; requests: MooncakeRequest[] } | { kind: 'absent'; path: string }> {
  const path = join(tracesDir, 'mooncake-fast25', 'conversation_trace.jsonl');
  const text = await readFile(path, 'utf8').catch(() => null);
  return text === null ? { kind: 'absent', path } : { kind: 'trace', requests: parseMooncake(text, path, limit) };
}
