/** What goes with a message or a request so that its receiver can go on with the trace: W3C Trace Context. */
export interface TraceContext {
  /** `00-<trace id>-<span id>-<flags>` */
  readonly traceparent: string;
  /** What other vendors keep there; null when there is nothing. */
  readonly tracestate: string | null;
}
