import { describe, expect, it } from '@jest/globals';
import type { TraceContext } from '@sluice/contracts';
import { BatchSpans } from './batch-spans.ts';
import { NO_SPAN, NO_TRACING } from './tracing.ts';
import type { SpanOptions, Tracing } from './tracing.ts';

const context: TraceContext = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: null,
};

function recorded() {
  const made: { seq: unknown; startMs: number | undefined; parent: TraceContext | null }[] = [];
  const tracing: Tracing = {
    ...NO_TRACING,
    follow(_name, parent, { startMs, attributes }: SpanOptions = {}) {
      made.push({ seq: attributes!['sluice.kv.seq'], startMs, parent });
      return NO_SPAN;
    },
  };
  return { made, spans: new BatchSpans(tracing, 'apply kv.v1', 'consumer') };
}

describe('BatchSpans', () => {
  it('makes a span of a remembered batch, of the right worker and epoch alone', () => {
    const { made, spans } = recorded();
    for (let seq = 0; seq < 300; seq++) spans.handled({ worker: 'w', epoch: 5, seq }, 1000 + seq);
    spans.trace({ worker: 'w', epoch: 5, seq: 299 }, context);
    spans.trace({ worker: 'w', epoch: 5, seq: 44 }, context);
    expect(made).toEqual([
      { seq: 299, startMs: 1299, parent: context },
      { seq: 44, startMs: 1044, parent: context },
    ]);
    for (const [worker, epoch, seq] of [
      ['w', 5, 43],
      ['w', 4, 299],
      ['v', 5, 299],
    ] as const) {
      spans.trace({ worker, epoch, seq }, context);
    }
    expect(made).toHaveLength(2);
  });

  it('looks again for a batch that comes after the word about it', async () => {
    const { made, spans } = recorded();
    spans.trace({ worker: 'w', epoch: 5, seq: 7 }, context);
    spans.handled({ worker: 'w', epoch: 5, seq: 7 }, 1);
    expect(made).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(made).toEqual([{ seq: 7, startMs: 1, parent: context }]);
  });
});
