import { describe, expect, it } from '@jest/globals';
import { parseEngineSimConfig } from './config.ts';
import type { EngineSimConfig } from './config.ts';

const config = (...argv: string[]): EngineSimConfig => {
  const result = parseEngineSimConfig(argv);
  if (result.kind !== 'config') throw new Error(JSON.stringify(result));
  return result.config;
};

describe('parseEngineSimConfig', () => {
  it('needs no argument: an 8B model on an H100 at the speed of life, on loopback', () => {
    expect(config()).toMatchObject({
      host: '127.0.0.1',
      port: 8000,
      speed: 1,
      blockSize: 16,
      kvBlocks: 26_311,
      maxModelLen: 32_768,
      kvEvents: null,
      ranks: 1,
      promptTokensDetails: true,
      prefixCaching: true,
    });
  });

  it('takes KV events as flags or as the JSON that vLLM takes', () => {
    const flags = ['--kv-events', 'bind:tcp://*:5557', '--kv-events-replay', 'tcp://*:5558', '--kv-events-topic', 'kv'];
    const json = JSON.stringify({
      enable_kv_cache_events: true,
      publisher: 'zmq',
      endpoint: 'tcp://*:5557',
      replay_endpoint: 'tcp://*:5558',
      topic: 'kv',
    });
    const expected = { endpoint: 'tcp://*:5557', replayEndpoint: 'tcp://*:5558', topic: 'kv', bufferSteps: 10_000 };
    expect(config(...flags).kvEvents).toMatchObject(expected);
    expect(config('--kv-events-config', json, '--kv-events-form', 'array').kvEvents).toMatchObject({
      ...expected,
      form: 'array',
    });
    expect(config('--kv-events-config', '{"enable_kv_cache_events": false}').kvEvents).toBeNull();
    expect(config(...flags, '--kv-events-clock-offset', '-30').kvEvents).toMatchObject({ clockOffsetMs: -30_000 });
  });

  it.each([
    ['tcp://*:5557', 'tcp://*:5557', true],
    ['tcp://127.0.0.1:5557', 'tcp://127.0.0.1:5557', false],
    ['bind:tcp://127.0.0.1:5557', 'tcp://127.0.0.1:5557', true],
    ['connect:tcp://127.0.0.1:5557', 'tcp://127.0.0.1:5557', false],
  ])('reads --kv-events %s: who binds is the rule of vLLM unless it is said', (flag, endpoint, bind) => {
    expect(config('--kv-events', flag).kvEvents).toMatchObject({ endpoint, bind });
  });

  it('collects adapters, and fits the context to a small cache', () => {
    expect(config('--lora', 'a', '--lora', 'b', '--kv-blocks', '101')).toMatchObject({
      loras: ['a', 'b'],
      maxModelLen: 1600,
    });
  });

  it('reports every error at once', () => {
    const result = parseEngineSimConfig([
      ...['--profile', 'tpu', '--port', '99999', '--speed', '0', '--block-size', '-4', '--seed', 'x'],
      ...['--lora', 'sim', '--kv-events', 'nonsense', '--kv-events-form', 'csv', '--wibble', 'stray'],
    ]);
    expect(result.kind).toBe('errors');
    const text = result.kind === 'errors' ? result.errors.join('\n') : '';
    for (const word of ['--wibble', 'stray', '--profile', '--port', '--speed', '--block-size', '--seed', 'differ']) {
      expect(text).toContain(word);
    }
    expect(text).toContain("'nonsense' is no ZeroMQ address");
    expect(text).toContain('--kv-events-form');
  });

  it('rejects what could not run: a context beyond the cache, ranks on ipc, unknown fields', () => {
    const errors = (...argv: string[]): readonly string[] => {
      const result = parseEngineSimConfig(argv);
      return result.kind === 'errors' ? result.errors : [];
    };
    expect(errors('--kv-blocks', '10', '--max-model-len', '200')).toEqual([
      '--max-model-len 200 is more than the 144 tokens that the KV cache holds',
    ]);
    expect(errors('--data-parallel-size', '2', '--kv-events', 'ipc:///tmp/x')).toHaveLength(1);
    expect(errors('--kv-events-config', '{"endpont": "tcp://*:1"}')).toEqual([
      "--kv-events-config: unknown field 'endpont'",
    ]);
    expect(errors('--kv-events-replay', 'tcp://*:1')).toEqual(['--kv-events-replay needs --kv-events']);
    expect(errors('--port')).toEqual(["option '--port <PORT>' argument missing"]);
  });

  it('explains itself', () => {
    const result = parseEngineSimConfig(['--help']);
    expect(result.kind === 'help' && result.text).toContain('--kv-events-config');
  });
});
