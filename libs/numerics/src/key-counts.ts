const NONE = -1;

/**
 * Counts by 64-bit key, given as two signed words. Open addressing with linear probing; removal shifts back.
 */
export class KeyCounts {
  private his = new Int32Array(64);
  private los = new Int32Array(64);
  /** 0: the slot is free. */
  private counts = new Uint32Array(64);
  private used = 0;

  /** Keys with a count. */
  get size(): number {
    return this.used;
  }

  has(hi: number, lo: number): boolean {
    return this.used > 0 && this.find(hi, lo) !== NONE;
  }

  /** One more. */
  add(hi: number, lo: number): void {
    const known = this.find(hi, lo);
    if (known !== NONE) {
      this.counts[known]!++;
      return;
    }
    if (2 * ++this.used > this.counts.length) this.grow();
    this.insert(hi, lo, 1);
  }

  /** One less; false when there was none. */
  remove(hi: number, lo: number): boolean {
    if (this.used === 0) return false;
    const at = this.find(hi, lo);
    if (at === NONE) return false;
    if (--this.counts[at]! === 0) this.close(at);
    return true;
  }

  clear(): void {
    this.counts.fill(0);
    this.used = 0;
  }

  private find(hi: number, lo: number): number {
    const mask = this.counts.length - 1;
    for (let at = lo & mask; this.counts[at] !== 0; at = (at + 1) & mask) {
      if (this.los[at] === lo && this.his[at] === hi) return at;
    }
    return NONE;
  }

  private insert(hi: number, lo: number, count: number): void {
    const mask = this.counts.length - 1;
    let at = lo & mask;
    while (this.counts[at] !== 0) at = (at + 1) & mask;
    this.his[at] = hi;
    this.los[at] = lo;
    this.counts[at] = count;
  }

  /** Frees a slot, moving later ones of the same run of slots forward. */
  private close(free: number): void {
    const mask = this.counts.length - 1;
    this.used--;
    for (let at = (free + 1) & mask; this.counts[at] !== 0; at = (at + 1) & mask) {
      const home = this.los[at]! & mask;
      if (((at - home) & mask) < ((at - free) & mask)) continue;
      this.his[free] = this.his[at]!;
      this.los[free] = this.los[at]!;
      this.counts[free] = this.counts[at]!;
      free = at;
    }
    this.counts[free] = 0;
  }

  private grow(): void {
    const { his, los, counts } = this;
    const length = 2 * counts.length;
    this.his = new Int32Array(length);
    this.los = new Int32Array(length);
    this.counts = new Uint32Array(length);
    for (let at = 0; at < counts.length; at++) if (counts[at] !== 0) this.insert(his[at]!, los[at]!, counts[at]!);
  }
}
