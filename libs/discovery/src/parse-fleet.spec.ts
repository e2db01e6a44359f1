import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { isEndpoint, isOrigin, rankEndpoint } from './endpoint.ts';
import { parseFleet } from './index.ts';
import type { ParsedFleet } from './index.ts';

const testdata = (name: string): string => readFileSync(new URL(`../testdata/${name}`, import.meta.url), 'utf8');
const parse = (text: string): ParsedFleet => parseFleet(text, { baseDir: '/etc/sluice', version: 3 });
const errorsOf = (text: string): string[] => {
  const parsed = parse(text);
  return parsed.ok ? [] : parsed.errors;
};

describe('parseFleet', () => {
  it('reads the example of the documentation', () => {
    const parsed = parse(testdata('example.yaml'));
    if (!parsed.ok) throw new Error(parsed.errors.join('\n'));
    const { fleet } = parsed;
    expect(fleet.version).toBe(3);
    expect(fleet.pools).toEqual([
      {
        id: 'qwen3-8b',
        models: ['Qwen/Qwen3-8B', 'qwen3-8b', 'support-tone'],
        loras: ['support-tone'],
        tokenizer: '/etc/sluice/tokenizers/qwen3',
      },
      { id: 'wide', models: ['big-moe'], loras: [], tokenizer: null },
    ]);
    expect(fleet.workers.map((worker) => worker.id)).toEqual([
      'h100-a',
      'h100-b',
      'moe-0-dp0',
      'moe-0-dp1',
      'moe-0-dp2',
      'quiet',
    ]);
    expect(fleet.workers[0]).toEqual({
      id: 'h100-a',
      pool: 'qwen3-8b',
      engine: 'h100-a',
      url: 'http://10.0.0.11:8000',
      dpRank: null,
      role: 'both',
      variant: 'default',
      kvEvents: {
        mode: 'connect',
        endpoint: 'tcp://10.0.0.11:5557',
        replayEndpoint: 'tcp://10.0.0.11:5558',
        topic: '',
      },
    });
    expect(fleet.workers[1]!.kvEvents).toEqual({
      mode: 'bind',
      endpoint: 'tcp://*:5600',
      replayEndpoint: null,
      topic: 'kv',
    });
    expect(fleet.workers[4]).toEqual({
      id: 'moe-0-dp2',
      pool: 'wide',
      engine: 'moe-0',
      url: 'https://moe-0.internal',
      dpRank: 2,
      role: 'decode',
      variant: 'default',
      kvEvents: {
        mode: 'connect',
        endpoint: 'tcp://moe-0.internal:5559',
        replayEndpoint: 'tcp://moe-0.internal:5659',
        topic: '',
      },
    });
    expect(fleet.workers[5]!.kvEvents).toBeNull();
  });

  it('takes JSON', () => {
    const file = {
      version: 1,
      pools: [{ id: 'p', models: ['m'], engines: [{ id: 'e', url: 'http://[::1]:8000', kvEvents: null }] }],
    };
    expect(parse(JSON.stringify(file))).toMatchObject({ ok: true, fleet: { workers: [{ url: 'http://[::1]:8000' }] } });
  });

  it('says everything that is wrong at once', () => {
    expect(errorsOf(testdata('invalid.yaml'))).toEqual(testdata('invalid.errors.txt').trimEnd().split('\n'));
  });

  it('says where YAML itself is broken', () => {
    expect(errorsOf('version: 1\npools: [')).toEqual([expect.stringMatching(/line 2/)]);
    expect(errorsOf('version: 1\nversion: 1\npools: []')[0]).toMatch(/unique/);
    expect(errorsOf('')[0]).toBe('the file: null must be a mapping with version, pools');
  });

  it('does not follow aliases without end', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
    for (const [name, of] of ['ba', 'cb', 'dc', 'ed', 'fe'].map((pair) => pair.split(''))) {
      bomb.push(`${name}: &${name} [*${of}, *${of}, *${of}, *${of}, *${of}, *${of}, *${of}, *${of}, *${of}, *${of}]`);
    }
    expect(errorsOf(bomb.join('\n'))[0]).toMatch(/alias/i);
  });

  it('answers any document with a fleet or errors, and any damage to a good one with errors or a fleet', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(errorsOf(JSON.stringify(value)).length).toBeGreaterThan(0);
      }),
      { seed: 7, numRuns: 300 },
    );
    const good = testdata('example.yaml');
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(good.length - 1), fc.string({ maxLength: 4 }), (at, cut, text) => {
        const damaged = good.slice(0, at) + text + good.slice(Math.min(good.length, at + (cut % 40)));
        const parsed = parse(damaged);
        if (!parsed.ok) expect(parsed.errors.every((error) => error.length > 0)).toBe(true);
        else expect(parsed.fleet.workers.every(({ url, id }) => isOrigin(url) && id !== '')).toBe(true);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('refuses an engine id whose ranks make too long a worker id', () => {
    const long = 'e'.repeat(60);
    const text = `{version: 1, pools: [{id: p, models: [m], engines: [{id: ${long}, url: 'http://h:1', ranks: 2}]}]}`;
    expect(errorsOf(text)).toEqual([expect.stringContaining(`makes the worker id '${long}-dp0'`)]);
  });
});

describe('endpoints', () => {
  it.each([
    ['http://host:8000', true],
    ['https://host', true],
    ['http://127.0.0.1:80', true],
    ['http://host:8000/', false],
    ['http://host:8000/v1', false],
    ['http://user:secret@host', false],
    ['http://host?x=1', false],
    ['tcp://host:1', false],
    ['host:8000', false],
    ['', false],
  ])('origin %s: %s', (text, expected) => expect(isOrigin(text)).toBe(expected));

  it.each([
    ['tcp://127.0.0.1:5557', true],
    ['tcp://*:5557', true],
    ['tcp://[::1]:5557', true],
    ['tcp://a-b.c_d:65535', true],
    ['ipc:///tmp/socket', true],
    ['tcp://host', false],
    ['tcp://host:0', false],
    ['tcp://host:65536', false],
    ['ipc://', false],
    ['inproc://x', false],
  ])('ZMQ address %s: %s', (text, expected) => expect(isEndpoint(text)).toBe(expected));

  it('adds the rank to the port', () => {
    expect(rankEndpoint('tcp://[::1]:5557', 3)).toBe('tcp://[::1]:5560');
    expect(rankEndpoint('tcp://host:65535', 1)).toBeNull();
    expect(rankEndpoint('ipc:///tmp/x', 0)).toBe('ipc:///tmp/x');
    expect(rankEndpoint('ipc:///tmp/x', 1)).toBeNull();
  });
});
