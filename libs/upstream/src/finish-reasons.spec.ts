import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FinishReasons } from './finish-reasons.ts';

const TEXT =
  'data: {"choices":[{"index":0,"delta":{"content":"say \\"finish_reason\\":\\"x\\""},"finish_reason":null}]}\n\n' +
  'data: {"choices":[{"index":0,"delta":{},"finish_reason": "length","stop_reason":null},{"index":1,"finish_reason":"stop"}]}\n\n' +
  'data: [DONE]\n\n';

describe('FinishReasons', () => {
  it('finds each reason once, however the answer is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(TEXT.length), { maxLength: 12 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), TEXT.length];
        const reasons = new FinishReasons();
        for (let i = 1; i < at.length; i++) reasons.push(Buffer.from(TEXT.slice(at[i - 1], at[i])));
        expect(reasons.found).toEqual(['length', 'stop']);
      }),
      { numRuns: 300, seed: 7 },
    );
  });

  it('finds none where an engine gave none', () => {
    const reasons = new FinishReasons();
    reasons.push(Buffer.from('{"error":{"message":"no"}}'));
    expect(reasons.found).toEqual([]);
  });
});
