import type { KvMessage } from '@sluice/engine-wire';

/** Messages kept while a replay is under way, in order and bounded in bytes. */
export class MessageQueue {
  #messages: KvMessage[] = [];
  #at = 0;
  #bytes = 0;
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** False when it is full: the message was not taken. */
  push(message: KvMessage): boolean {
    if (this.#bytes + message[1].length > this.#maxBytes) return false;
    this.#messages.push(message);
    this.#bytes += message[1].length;
    return true;
  }

  get first(): KvMessage | undefined {
    return this.#messages[this.#at];
  }

  dropFirst(): void {
    this.#bytes -= this.#messages[this.#at++]?.[1].length ?? 0;
    if (this.#at < this.#messages.length) return;
    this.#messages = [];
    this.#at = 0;
  }
}
