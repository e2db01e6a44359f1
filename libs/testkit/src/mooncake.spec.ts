import { describe, expect, it } from '@jest/globals';
import { parseMooncake } from './mooncake.ts';
import { textOfBlocks } from './synthetic-text.ts';

describe('parseMooncake', () => {
  it('reads lines up to the limit', () => {
    const line = '{"timestamp": 3000, "input_length": 600, "output_length": 52, "hash_ids": [0, 14]}\n';
    expect(parseMooncake(line.repeat(3), 'x.jsonl', 2)).toEqual(
      Array(2).fill({ timestampMs: 3000, inputTokens: 600, outputTokens: 52, hashIds: [0, 14] }),
    );
  });

  it.each([
    ['{"timestamp": 0', /x.jsonl:2: no JSON/],
    ['{"timestamp": -1, "input_length": 1, "output_length": 1, "hash_ids": []}', /x.jsonl:2: timestamp/],
    ['{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": ["a"]}', /x.jsonl:2: hash_ids/],
  ])('refuses %s with file, line and reason', (bad, message) => {
    const good = '{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": []}';
    expect(() => parseMooncake(`${good}\n${bad}\n`, 'x.jsonl')).toThrow(message);
  });
});

describe('textOfBlocks', () => {
  it('makes shared ids shared text and different ids different text from their start', () => {
    const a = textOfBlocks([0, 1, 2], 1536, 512);
    const b = textOfBlocks([0, 1, 3], 1536, 512);
    let shared = 0;
    while (a[shared] === b[shared]) shared++;
    expect(a.split(' ').length).toBeGreaterThan(1500);
    expect(shared).toBe(textOfBlocks([0, 1], 1024, 512).length + 1);
  });
});
