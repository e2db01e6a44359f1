const BAR = 30;
const EVERY_MS = 1000;

/** How far a part is, on one line of a terminal, with the time that is left if runs go on lasting what they did. */
export class Progress {
  private readonly write: (text: string) => void;
  private readonly nowMs: () => number;
  private readonly startMs: number;
  private expected = 0;
  private done = 0;
  private lastMs = -Infinity;

  constructor(write: (text: string) => void, nowMs: () => number) {
    this.write = write;
    this.nowMs = nowMs;
    this.startMs = nowMs();
  }

  /** So many more runs will come. */
  expect(runs: number): void {
    this.expected += runs;
  }

  /** A share of a run is done. */
  advance(share: number, label: string): void {
    this.done += share;
    const now = this.nowMs();
    if (now - this.lastMs < EVERY_MS) return;
    this.lastMs = now;
    const whole = Math.min(1, this.done / this.expected);
    const leftS = whole > 0 ? ((now - this.startMs) / 1000) * (1 / whole - 1) : NaN;
    const bar = '#'.repeat(Math.round(BAR * whole)).padEnd(BAR, '.');
    this.write(`\r[${bar}] ${(100 * whole).toFixed(0).padStart(3)} %, ${clock(leftS)} left: ${label}\u001b[K`);
  }

  end(): void {
    this.write('\r\u001b[K');
  }
}

const clock = (seconds: number): string =>
  Number.isFinite(seconds) ? `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}` : '?';
