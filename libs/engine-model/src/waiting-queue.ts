import type { CoreRequest } from './core-api.ts';
import type { Sequence } from './sequence.ts';

/** First come first served, with preempted sequences put back at the front. A removed one leaves a hole until it is reached. */
export class WaitingQueue<R extends CoreRequest> {
  private slots: (Sequence<R> | undefined)[] = [];
  private head = 0;
  private count = 0;

  get size(): number {
    return this.count;
  }

  append(sequence: Sequence<R>): void {
    this.slots.push(sequence);
    this.count++;
  }

  prepend(sequence: Sequence<R>): void {
    if (this.head > 0) this.slots[--this.head] = sequence;
    else this.slots.unshift(sequence);
    this.count++;
  }

  first(): Sequence<R> | undefined {
    while (this.head < this.slots.length && this.slots[this.head] === undefined) this.head++;
    return this.slots[this.head];
  }

  /** Removes what {@link first} returned. */
  takeFirst(): void {
    this.slots[this.head++] = undefined;
    this.count--;
    if (this.head > 64 && this.head * 2 > this.slots.length) {
      this.slots = this.slots.slice(this.head);
      this.head = 0;
    }
  }

  remove(sequence: Sequence<R>): void {
    const at = this.slots.indexOf(sequence, this.head);
    if (at < 0) return;
    this.slots[at] = undefined;
    this.count--;
  }
}
