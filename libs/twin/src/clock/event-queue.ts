/**
 * Events in the order of their time; equal times in the order in which they were pushed. A binary heap in columns:
 * nothing is allocated per event.
 */
export class EventQueue<T> {
  /** Time of the event popped last: now. */
  nowMs = -Infinity;
  private times = new Float64Array(64);
  private orders = new Float64Array(64);
  private readonly subjects: T[] = [];
  private count = 0;
  private pushed = 0;

  get size(): number {
    return this.count;
  }

  /** @throws RangeError when `timeMs` lies before {@link nowMs}. */
  push(timeMs: number, subject: T): void {
    if (!(timeMs >= this.nowMs)) throw new RangeError(`event at ${timeMs} ms, when it is ${this.nowMs} ms`);
    if (this.count === this.times.length) this.grow();
    const order = this.pushed++;
    let at = this.count++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.times[parent]! <= timeMs) break;
      this.move(parent, at);
      at = parent;
    }
    this.times[at] = timeMs;
    this.orders[at] = order;
    this.subjects[at] = subject;
  }

  /** Takes the earliest event out; undefined when there is none. */
  pop(): T | undefined {
    if (this.count === 0) return undefined;
    this.nowMs = this.times[0]!;
    const earliest = this.subjects[0]!;
    const last = --this.count;
    const subject = this.subjects.pop()!;
    if (last === 0) return earliest;
    const timeMs = this.times[last]!;
    const order = this.orders[last]!;
    let at = 0;
    for (let child = 1; child < last; child = 2 * at + 1) {
      if (child + 1 < last && this.isBefore(child + 1, this.times[child]!, this.orders[child]!)) child++;
      if (!this.isBefore(child, timeMs, order)) break;
      this.move(child, at);
      at = child;
    }
    this.times[at] = timeMs;
    this.orders[at] = order;
    this.subjects[at] = subject;
    return earliest;
  }

  private isBefore(at: number, timeMs: number, order: number): boolean {
    const time = this.times[at]!;
    return time < timeMs || (time === timeMs && this.orders[at]! < order);
  }

  private move(from: number, to: number): void {
    this.times[to] = this.times[from]!;
    this.orders[to] = this.orders[from]!;
    this.subjects[to] = this.subjects[from]!;
  }

  private grow(): void {
    const length = 2 * this.times.length;
    const [times, orders] = [new Float64Array(length), new Float64Array(length)];
    times.set(this.times);
    orders.set(this.orders);
    this.times = times;
    this.orders = orders;
  }
}
