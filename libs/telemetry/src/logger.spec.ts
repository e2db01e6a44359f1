import { describe, expect, it } from '@jest/globals';
import { createLogger } from './index.ts';
import type { LoggerOptions } from './index.ts';

function logged(options: Partial<LoggerOptions>, log: (logger: ReturnType<typeof createLogger>) => void): string[] {
  const lines: string[] = [];
  log(createLogger({ service: 'router', write: (line) => lines.push(line), ...options }));
  return lines;
}

describe('createLogger', () => {
  it('writes one JSON object per line', () => {
    const lines = logged({}, (logger) => logger.info({ worker: 'w1' }, 'worker is up'));
    expect(lines).toHaveLength(1);
    const entry = JSON.parse(lines[0]!) as { time: string };
    expect(entry).toEqual({ level: 'info', time: entry.time, service: 'router', msg: 'worker is up', worker: 'w1' });
    expect(new Date(entry.time).toISOString()).toBe(entry.time);
    expect(lines[0]!.endsWith('}\n')).toBe(true);
  });

  it('keeps the stack of an error', () => {
    const [line] = logged({}, (logger) => logger.error({ err: new Error('broken') }, 'failed'));
    expect(JSON.parse(line!)).toMatchObject({ level: 'error', err: { message: 'broken', stack: expect.any(String) } });
  });

  it('is silent below its level', () => {
    expect(logged({ level: 'warn' }, (logger) => logger.info('quiet'))).toEqual([]);
    expect(logged({ level: 'silent' }, (logger) => logger.fatal('quiet'))).toEqual([]);
  });

  it('gives children their own fields', () => {
    const [line] = logged({}, (logger) => logger.child({ pool: 'p' }).warn('x'));
    expect(JSON.parse(line!)).toMatchObject({ service: 'router', pool: 'p' });
  });

  it('has a readable form', () => {
    const lines = logged({ pretty: true }, (logger) => {
      logger.info('started');
      logger.warn({ worker: 'w1' }, 'down');
    });
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}router: started\n$/);
    expect(lines[1]).toMatch(/ WARN {2}router: down \{"worker":"w1"\}\n$/);
  });
});
