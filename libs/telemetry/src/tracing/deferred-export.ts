import type { SpanExport } from './otlp-export.ts';
import type { RecordedSpan } from './recorded-span.ts';
import { NOT_SENT } from './tracing.ts';
import type { ExportCounters } from './tracing.ts';

/** An export that is opened with the first span: who may never have one pays nothing for it. */
export class DeferredExport implements SpanExport {
  readonly #open: () => Promise<SpanExport>;
  #opening: Promise<SpanExport> | null = null;
  #opened: SpanExport | null = null;

  constructor(open: () => Promise<SpanExport>) {
    this.#open = open;
  }

  get counters(): Readonly<ExportCounters> {
    return this.#opened?.counters ?? NOT_SENT;
  }

  add(span: RecordedSpan): void {
    if (this.#opened !== null) return this.#opened.add(span);
    this.#opening ??= this.#open().then((opened) => (this.#opened = opened));
    void this.#opening.then((opened) => opened.add(span));
  }

  async close(): Promise<void> {
    await (await this.#opening)?.close();
  }
}
