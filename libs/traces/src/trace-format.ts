import type { RecordedTrace } from '@sluice/model';

/** Collects the lines of one trace. */
export interface TraceReader {
  /** Requests read so far. */
  readonly count: number;
  /** Takes the next line that is not blank; returns why it is refused, or null. */
  add(line: string): string | null;
  /** What was read. */
  trace(): RecordedTrace;
}

export interface TraceFormat {
  /** What to look for in its first line, for people. */
  readonly sign: string;
  recognizes(firstLine: string): boolean;
  open(): TraceReader;
}

export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** The object on a line of JSON, or why it is none. */
export function parseObject(line: string): Readonly<Record<string, unknown>> | string {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    return 'a line must be a JSON object';
  } catch (error) {
    return `no JSON: ${(error as Error).message}`;
  }
}

/** Whether a line is a JSON object with this key; cut lines count, their reader says what is wrong with them. */
export const hasKey = (line: string, key: string): boolean => line.startsWith('{') && line.includes(`"${key}"`);
