import { describe, expect, it } from '@jest/globals';
import { contextOf, formatTraceparent, parseTraceparent } from './trace-context.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';

describe('traceparent', () => {
  it('is read as it is written', () => {
    for (const sampled of [true, false]) {
      expect(parseTraceparent(formatTraceparent(traceId, spanId, sampled))).toEqual({ traceId, spanId, sampled });
    }
  });

  it('of a later version may have more parts, and other flags are left alone', () => {
    expect(parseTraceparent(`cc-${traceId}-${spanId}-03-what-comes`)).toEqual({ traceId, spanId, sampled: true });
    expect(parseTraceparent(`00-${traceId}-${spanId}-02`)).toEqual({ traceId, spanId, sampled: false });
  });

  it.each([
    '',
    'nonsense',
    `00-${traceId}-${spanId}`,
    `00-${traceId}-${spanId}-01-more`,
    `ff-${traceId}-${spanId}-01`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
  ])('%p is none', (text) => {
    expect(parseTraceparent(text)).toBeNull();
    expect(contextOf(text, 'a=b')).toBeNull();
  });

  it('keeps a tracestate that is not too long', () => {
    const traceparent = formatTraceparent(traceId, spanId, true);
    expect(contextOf(traceparent, 'a=b')).toEqual({ traceparent, tracestate: 'a=b' });
    expect(contextOf(traceparent, undefined)).toEqual({ traceparent, tracestate: null });
    expect(contextOf(traceparent, `a=${'b'.repeat(600)}`)).toEqual({ traceparent, tracestate: null });
  });
});
