import { pino } from 'pino';
import type { DestinationStream, Logger, LoggerOptions as PinoOptions } from 'pino';

export type { Logger } from 'pino';
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerOptions {
  readonly service: string;
  /** Default `info`. */
  readonly level?: LogLevel;
  /** One readable line per entry instead of JSON, for a terminal. Default false. */
  readonly pretty?: boolean;
  /** Where lines go; default standard output. */
  readonly write?: (line: string) => void;
}

const FIXED_FIELDS = new Set(['level', 'time', 'service', 'msg']);

/** `12:34:56.789 INFO  router: message {"field":1}` for one JSON line. */
function readable(line: string): string {
  const entry = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(entry).filter(([name]) => !FIXED_FIELDS.has(name));
  const time = String(entry['time']).slice(11, 23);
  const level = String(entry['level']).toUpperCase().padEnd(5);
  const fields = rest.length === 0 ? '' : ` ${JSON.stringify(Object.fromEntries(rest))}`;
  return `${time} ${level} ${String(entry['service'])}: ${String(entry['msg'] ?? '')}${fields}\n`;
}

/**
 * Structured log of one service: JSON lines with `level`, `time` (ISO 8601, UTC), `service`, `msg` and the entry's own fields.
 * Errors go under the key `err`. Writes are synchronous, so that the last lines before an exit are not lost.
 */
export function createLogger(options: LoggerOptions): Logger {
  const settings: PinoOptions = {
    level: options.level ?? 'info',
    base: { service: options.service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  };
  const write = options.write;
  if (!options.pretty) return write ? pino(settings, { write } satisfies DestinationStream) : pino(settings);
  const out = write ?? ((line: string) => void process.stdout.write(line));
  return pino(settings, { write: (line: string) => out(readable(line)) });
}
