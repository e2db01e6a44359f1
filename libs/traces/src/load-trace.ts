import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { RecordedTrace } from '@sluice/model';
import { AZURE } from './azure.ts';
import { MOONCAKE } from './mooncake.ts';
import { TOKENS } from './tokens.ts';
import type { TraceFormat, TraceReader } from './trace-format.ts';

const FORMATS = { mooncake: MOONCAKE, azure: AZURE, tokens: TOKENS } satisfies Record<string, TraceFormat>;
export const FORMAT_IDS = ['auto', 'mooncake', 'azure', 'tokens'] as const;
export type FormatId = (typeof FORMAT_IDS)[number];

/** A trace that cannot be used; the message names the file, the line and the reason. */
export class TraceError extends Error {}

/**
 * Reads the first `limit` requests of a trace, line by line.
 * @throws TraceError for a file that cannot be read, is of no known format or empty, or has a bad line among those.
 */
export async function loadTrace(file: string, format: FormatId, limit: number): Promise<RecordedTrace> {
  let reader: TraceReader | null = null;
  let number = 0;
  const input = createReadStream(file, 'utf8');
  const lines = createInterface({ input, crlfDelay: Infinity });
  try {
    for await (const raw of lines) {
      number++;
      // Tools on Windows put a byte order mark in front of CSV.
      const line = number === 1 ? raw.replace(/^\uFEFF/, '') : raw;
      if (line.trim() === '') continue;
      reader ??= open(file, format, line, number);
      const refused = reader.add(line);
      if (refused !== null) throw new TraceError(`${file}:${number}: ${refused}`);
      if (reader.count >= limit) break;
    }
  } catch (error) {
    if (error instanceof TraceError) throw error;
    throw new TraceError(`${file}: ${(error as Error).message}`);
  } finally {
    lines.close();
    input.destroy();
  }
  if (reader === null || reader.count === 0) throw new TraceError(`${file}: there are no requests in it`);
  return reader.trace();
}

function open(file: string, format: FormatId, firstLine: string, number: number): TraceReader {
  if (format !== 'auto') return FORMATS[format].open();
  const found = Object.values(FORMATS).find((each) => each.recognizes(firstLine));
  if (found !== undefined) return found.open();
  const known = Object.entries(FORMATS).map(([id, { sign }]) => `${id} (${sign})`);
  throw new TraceError(`${file}:${number}: of no known format; known are ${known.join(', ')}`);
}
