import { describe, expect, it } from '@jest/globals';
import { poolId, workerId } from './ids.ts';

describe('ids', () => {
  it.each(['a', 'engine-1', 'Engine_2-dp0', '9', 'x'.repeat(63)])('accepts %s', (text) => {
    expect(workerId(text)).toBe(text);
  });

  it.each(['', '-a', '_a', 'a.b', 'a b', 'a>', 'a*', 'ä', 'x'.repeat(64)])(
    'refuses %j, because ids are subject tokens',
    (text) => {
      expect(() => workerId(text)).toThrow(RangeError);
      expect(() => poolId(text)).toThrow(/pool id '.*' must be/);
    },
  );
});
