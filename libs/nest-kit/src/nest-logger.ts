import type { LoggerService } from '@nestjs/common';
import type { Logger } from '@sluice/telemetry';

/** Nest's own messages in the service's log. Its start-up chatter (one line per route) is at debug. */
export function nestLogger(logger: Logger): LoggerService {
  const entry =
    (level: 'debug' | 'warn' | 'error' | 'trace') =>
    (message: unknown, ...rest: unknown[]): void => {
      const context = rest.at(-1);
      const fields = typeof context === 'string' ? { context } : {};
      if (message instanceof Error) logger[level]({ ...fields, err: message }, message.message);
      else logger[level](fields, typeof message === 'string' ? message : JSON.stringify(message));
    };
  return {
    log: entry('debug'),
    debug: entry('debug'),
    verbose: entry('trace'),
    warn: entry('warn'),
    error: entry('error'),
    fatal: entry('error'),
  };
}
