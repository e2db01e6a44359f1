import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import {
  booleanField,
  choiceField,
  choicesField,
  commonFields,
  ConfigError,
  configOrThrow,
  integerField,
  listField,
  numberField,
  parseConfig,
  portField,
  urlField,
} from './index.ts';
import type { Environment } from './index.ts';

const schema = z.object({
  ...commonFields,
  ROUTER_PORT: portField().default(8080),
  ROUTER_POLICY: choiceField(['round-robin', 'expected-latency']).default('expected-latency'),
  ROUTER_SHARE: numberField(0, 1).default(0.5),
  ROUTER_TRACE: booleanField().default(false),
  ROUTER_TAGS: listField().default([]),
  ROUTER_COLOURS: choicesField(['red', 'blue']).default([]),
  ROUTER_RETRIES: integerField(0, 10).optional(),
  ROUTER_ORIGIN: urlField('http', 'https').optional(),
});
const parse = (env: Environment) => parseConfig(schema, 'ROUTER_', env);
const errorsOf = (env: Environment): string[] => {
  const parsed = parse(env);
  return parsed.ok ? [] : parsed.errors;
};

describe('parseConfig', () => {
  it('fills in defaults and reads every kind of field', () => {
    expect(parse({ SLUICE_FLEET: 'fleet.yaml', PATH: '/bin', ROUTER_PORT: '' })).toEqual({
      ok: true,
      config: {
        SLUICE_NATS_URL: ['nats://127.0.0.1:4222'],
        SLUICE_REDIS_URL: 'redis://127.0.0.1:6379',
        SLUICE_FLEET: 'fleet.yaml',
        SLUICE_HOST: '127.0.0.1',
        SLUICE_LOG_LEVEL: 'info',
        ROUTER_PORT: 8080,
        ROUTER_POLICY: 'expected-latency',
        ROUTER_SHARE: 0.5,
        ROUTER_TRACE: false,
        ROUTER_TAGS: [],
        ROUTER_COLOURS: [],
      },
    });
    const given = {
      SLUICE_FLEET: 'f',
      SLUICE_NATS_URL: 'nats://a:1, tls://b:2',
      ROUTER_PORT: '0',
      ROUTER_POLICY: 'round-robin',
      ROUTER_SHARE: '0.25',
      ROUTER_TRACE: 'true',
      ROUTER_TAGS: 'a, b,,c',
      ROUTER_COLOURS: 'blue, red',
      ROUTER_RETRIES: '3',
      ROUTER_ORIGIN: 'https://x',
    };
    expect(parse(given)).toMatchObject({
      ok: true,
      config: {
        SLUICE_NATS_URL: ['nats://a:1', 'tls://b:2'],
        ROUTER_PORT: 0,
        ROUTER_POLICY: 'round-robin',
        ROUTER_SHARE: 0.25,
        ROUTER_TRACE: true,
        ROUTER_TAGS: ['a', 'b', 'c'],
        ROUTER_COLOURS: ['blue', 'red'],
        ROUTER_RETRIES: 3,
        ROUTER_ORIGIN: 'https://x',
      },
    });
  });

  it('says every error at once, with name, value and what is allowed', () => {
    const errors = errorsOf({
      ROUTER_PORT: '80a',
      ROUTER_POLICY: 'fastest',
      ROUTER_SHARE: 'NaN',
      ROUTER_TRACE: 'yes',
      ROUTER_COLOURS: 'red,red',
      ROUTER_RETRIES: '11',
      ROUTER_ORIGIN: 'ftp://x',
      ROUTER_PROT: '1',
      SLUICE_NATS_URL: 'http://x',
      SLUICE_LOG_LEVEL: 'loud',
    });
    expect(errors.sort()).toEqual([
      "ROUTER_COLOURS: 'red,red' must name each once",
      "ROUTER_ORIGIN: 'ftp://x' must be a URL like http://host:port or https://host:port",
      "ROUTER_POLICY: 'fastest' must be one of round-robin, expected-latency",
      "ROUTER_PORT: '80a' must be a port from 0 to 65535",
      'ROUTER_PROT: is unknown; did you mean ROUTER_PORT?',
      "ROUTER_RETRIES: '11' must be a whole number from 0 to 10",
      "ROUTER_SHARE: 'NaN' must be a number from 0 to 1",
      "ROUTER_TRACE: 'yes' must be true or false",
      'SLUICE_FLEET: is missing',
      "SLUICE_LOG_LEVEL: 'loud' must be one of trace, debug, info, warn, error, fatal, silent",
      "SLUICE_NATS_URL: 'http://x' must be nats://host:port or tls://host:port, several separated by commas",
    ]);
  });

  it('takes a setting from the file before the environment, and names of the file that nobody has are errors', () => {
    const file = { ROUTER_PORT: '1', KV_INDEX_MAX_NODES: '5', SLUICE_REDIS_URL: 'redis://r' };
    expect(parseConfig(schema, 'ROUTER_', { SLUICE_FLEET: 'f', ROUTER_PORT: '2' }, file)).toMatchObject({
      ok: true,
      config: { ROUTER_PORT: 1, SLUICE_REDIS_URL: 'redis://r' },
    });
    const wrong = { ROUTER_PROT: '1', ROTER_PORT: '1', port: '1', SLUICE_CONFIG: 'x' };
    expect(parseConfig(schema, 'ROUTER_', { SLUICE_FLEET: 'f' }, wrong)).toEqual({
      ok: false,
      errors: [
        'ROUTER_PROT: is unknown; did you mean ROUTER_PORT?',
        'ROTER_PORT: is unknown; did you mean ROUTER_PORT?',
        expect.stringMatching(/^port: is unknown; known are SLUICE_NATS_URL, /),
        'SLUICE_CONFIG: belongs in the environment, not in the file',
      ],
    });
  });

  it('does not repeat a token', () => {
    const errors = errorsOf({ SLUICE_FLEET: 'f', SLUICE_ADMIN_TOKEN: 'too short' });
    expect(errors).toEqual(["SLUICE_ADMIN_TOKEN: '***' must be at least 16 printable characters without blanks"]);
  });

  it('says which choices there are', () => {
    expect(errorsOf({ SLUICE_FLEET: 'f', ROUTER_COLOURS: 'red,green' })).toEqual([
      "ROUTER_COLOURS: 'red,green' must be of red, blue, separated by commas",
    ]);
  });

  it('does not repeat the password of a URL', () => {
    const errors = errorsOf({ SLUICE_FLEET: 'f', SLUICE_REDIS_URL: 'http://user:hunter2@host', ROUTER_PORT: '1' });
    expect(errors).toHaveLength(1);
    expect(errors[0]).not.toContain('hunter2');
  });

  it('throws everything in one error where a process starts', () => {
    expect(() => configOrThrow(parse({ ROUTER_PORT: 'x' }))).toThrow(ConfigError);
    expect(() => configOrThrow(parse({ ROUTER_PORT: 'x' }))).toThrow(
      /ROUTER_PORT.*\n.*SLUICE_FLEET|SLUICE_FLEET.*\n.*ROUTER_PORT/,
    );
    expect(configOrThrow(parse({ SLUICE_FLEET: 'f' })).SLUICE_FLEET).toBe('f');
  });
});
