import type { TraceSpan } from '@sluice/contracts';
import type { KeptSpans } from './tracing.ts';

/** The last spans of a service, up to a bound; they are made readable when somebody reads. */
export class SpanRing<S> implements KeptSpans {
  readonly #capacity: number;
  readonly #viewOf: (span: S) => TraceSpan;
  readonly #traceIdOf: (span: S) => string;
  readonly #spans: S[] = [];
  /** Where the next one goes. */
  #next = 0;

  constructor(capacity: number, traceIdOf: (span: S) => string, viewOf: (span: S) => TraceSpan) {
    this.#capacity = capacity;
    this.#traceIdOf = traceIdOf;
    this.#viewOf = viewOf;
  }

  add(span: S): void {
    this.#spans[this.#next] = span;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  trace(traceId: string): TraceSpan[] {
    return this.#inOrder()
      .filter((span) => this.#traceIdOf(span) === traceId)
      .map(this.#viewOf)
      .sort((a, b) => a.startMs - b.startMs);
  }

  all(): TraceSpan[] {
    return this.#inOrder().map(this.#viewOf);
  }

  /** Oldest first. */
  #inOrder(): S[] {
    const isFull = this.#spans.length === this.#capacity;
    return isFull ? [...this.#spans.slice(this.#next), ...this.#spans.slice(0, this.#next)] : this.#spans;
  }
}
