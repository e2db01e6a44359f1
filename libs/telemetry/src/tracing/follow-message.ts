import type { Subject, TraceContext } from '@sluice/contracts';
import { Attribute } from './semantics.ts';
import type { Span, Tracing } from './tracing.ts';

/** The span of a message that is being processed, below whoever published it; nothing where its request is not sampled. */
export function followMessage(tracing: Tracing, subject: Subject, trace: TraceContext | null): Span {
  return tracing.follow(`process ${subject.name}`, trace, {
    kind: 'consumer',
    attributes: { [Attribute.messagingDestination]: subject.name, [Attribute.messagingOperation]: 'process' },
  });
}
