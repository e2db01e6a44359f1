import { describe, expect, it } from '@jest/globals';
import { poolId } from '@sluice/model';
import type { PoolSpec } from '@sluice/model';
import type { EngineFacts } from './ask-engine.ts';
import { comparisonFindings } from './compare-engines.ts';
import type { KnownEngine } from './compare-engines.ts';

const pool: PoolSpec = { id: poolId('p'), models: ['m'], loras: [], tokenizer: null };
const CONFIG = { block_size: '16', cache_dtype: 'auto', kv_cache_size_tokens: '100000' };

function engine(
  id: string,
  config: object = {},
  rest: { variant?: string; root?: string; version?: string } = {},
): KnownEngine {
  const { variant = 'default', root = '/models/Qwen3-8B', version = '0.32.0' } = rest;
  const facts: EngineFacts = {
    ...{ kind: 'facts', version, ranks: 1, events: null },
    models: [{ id: 'm', root, parent: null, maxModelLen: 4096 }],
    cacheConfig: { ...CONFIG, ...config },
  };
  return { engine: { id, url: `http://${id}`, pool, variant, workers: [] }, facts };
}
const found = (...engines: KnownEngine[]): string[] =>
  comparisonFindings(engines).map(({ code, what }) => `${code}: ${what.replace(/^.*: /, '')}`);

describe('engines that should be alike', () => {
  it('are, where only folders and a little memory differ', () => {
    expect(found(engine('a'), engine('b', { kv_cache_size_tokens: '97000' }, { root: '/data/hub/qwen3-8b/' }))).toEqual(
      [],
    );
  });

  it('differ in settings: named with who has which', () => {
    const differing = found(engine('a'), engine('b'), engine('c', { block_size: '32' }, { version: '0.31.0' }));
    expect(differing).toEqual([
      'variant-mixed: block_size is 16 on a, b, 32 on c; version is 0.32.0 on a, b, 0.31.0 on c',
    ]);
    expect(found(engine('a'), engine('b', { kv_cache_size_tokens: '60000' }))).toEqual([
      'variant-mixed: kv_cache_size_tokens is 100000 on a, 60000 on b',
    ]);
  });

  it('may differ across variants, though blocks had better not', () => {
    expect(found(engine('a'), engine('b', { cache_dtype: 'fp8' }, { variant: 'fp8' }))).toEqual([]);
    expect(found(engine('a'), engine('b', { block_size: '32' }, { variant: 'large' }))).toEqual([
      'pool-mixed-blocks: 16 on a, 32 on b',
    ]);
  });

  it('serve the same weights', () => {
    expect(found(engine('a'), engine('b', {}, { root: 'meta/Llama-3.1-8B' }))).toEqual([
      'pool-mixed-models: qwen3-8b on a, llama-3.1-8b on b',
    ]);
  });

  it('are named as far as a line goes', () => {
    const many = Array.from({ length: 9 }, (_, i) => engine(`e${i}`, i === 8 ? { cache_dtype: 'fp8' } : {}));
    expect(found(...many)).toEqual(['variant-mixed: cache_dtype is auto on e0, e1, e2 and 5 more, fp8 on e8']);
  });
});
