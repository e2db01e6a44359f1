import { describe, expect, it } from '@jest/globals';
import { fnv1a } from './fnv1a.ts';

describe('fnv1a', () => {
  // Test vectors of the function's authors.
  it.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['b', 0xe70c2de5],
    ['foobar', 0xbf9cf968],
  ])('of %j', (text, hash) => {
    expect(fnv1a(text)).toBe(hash);
  });
});
