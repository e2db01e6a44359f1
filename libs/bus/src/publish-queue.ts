import type { TraceContext } from '@sluice/contracts';

/** Longest time that a published message waits for others to share a write with. */
const GATHER_MS = 5;
/** So many bytes are sent at once. */
const GATHER_BYTES = 64 * 1024;

type Send = (subject: string, payload: Uint8Array, trace: TraceContext | null) => void;

/**
 * Gathers published messages for a moment, so that services that publish at every request pay one write to the socket
 * per moment and not one per message. Keeps their order.
 */
export class PublishQueue {
  readonly #send: Send;
  #subjects: string[] = [];
  #payloads: Uint8Array[] = [];
  #traces: (TraceContext | null)[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | null = null;
  readonly #onTimer = (): void => this.flush();

  /** @param send called for every message, those of one moment in one go; must not throw */
  constructor(send: Send) {
    this.#send = send;
  }

  add(subject: string, payload: Uint8Array, trace: TraceContext | null = null): void {
    this.#subjects.push(subject);
    this.#payloads.push(payload);
    this.#traces.push(trace);
    this.#bytes += payload.length;
    if (this.#bytes >= GATHER_BYTES) this.flush();
    else this.#timer ??= setTimeout(this.#onTimer, GATHER_MS);
  }

  /** Sends what was gathered. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const subjects = this.#subjects;
    const payloads = this.#payloads;
    const traces = this.#traces;
    this.#subjects = [];
    this.#payloads = [];
    this.#traces = [];
    this.#bytes = 0;
    for (let i = 0; i < subjects.length; i++) this.#send(subjects[i]!, payloads[i]!, traces[i]!);
  }
}
