import { FEWEST_RESIDUALS } from './residual-window.ts';
import type { ResidualWindow } from './residual-window.ts';

/** The share of outcomes that a tail is to cover. */
export const TAIL_QUANTILE = 0.9;
/** Before samples, one in ten is taken to be 1.5 times the prediction or worse. */
export const PRIOR_TAIL = Math.log(1.5);
/**
 * How far one miss moves the level. Small, because an answer tells only when it ends: what was said of all that were under
 * way meanwhile was said without it, and a large step would be repeated for each of them.
 */
export const LEVEL_STEP = 0.001;
/** How often the tail in force is noted, and for how long. */
const NOTE_MS = 1000;
const MOST_NOTES = 600;

/**
 * Tail of one regime's log residuals by adaptive conformal inference (Gibbs and Candes 2021, arXiv 2106.00170): a quantile
 * of the recent residuals, at a level that rises by `step * 0.9` when an outcome lay above the tail **that was in force
 * when its request was sent**, and falls by `step * 0.1` when it did not. Over T outcomes the share that is covered is
 * off by |last level - first level| / (T * step), whatever the residuals do.
 */
export class ConformalTail {
  private readonly window: ResidualWindow;
  private currentLevel = TAIL_QUANTILE;
  private current = PRIOR_TAIL;
  /** When the tail became what, oldest first. */
  private notedMs = [-Infinity];
  private noted = [PRIOR_TAIL];

  constructor(window: ResidualWindow) {
    this.window = window;
  }

  /** Log factor on the prediction. */
  get value(): number {
    return this.current;
  }

  get level(): number {
    return this.currentLevel;
  }

  /** The one in force at `atMs`; the present one where that is not known. */
  valueAt(atMs: number | null): number {
    if (atMs === null) return this.current;
    const at = this.notedMs.findLastIndex((notedMs) => notedMs <= atMs);
    return this.noted[Math.max(0, at)]!;
  }

  /**
   * The window has another residual.
   * @param missed whether the outcome lay above the tail in force when its request was sent
   * @param nowMs when it ended; null: not known
   */
  observe(missed: boolean, nowMs: number | null): void {
    if (this.window.size > FEWEST_RESIDUALS) {
      this.currentLevel += LEVEL_STEP * (missed ? TAIL_QUANTILE : TAIL_QUANTILE - 1);
    }
    this.current = this.fromWindow();
    if (nowMs !== null) this.note(nowMs);
  }

  /** Goes on at `level` from a window that was stored with it. */
  restore(level: number): void {
    this.currentLevel = level;
    this.current = this.fromWindow();
    this.notedMs = [-Infinity];
    this.noted = [this.current];
  }

  private fromWindow(): number {
    const { window } = this;
    if (window.size >= FEWEST_RESIDUALS) return window.quantile(this.currentLevel);
    return window.size === 0 ? PRIOR_TAIL : Math.max(PRIOR_TAIL, window.quantile(1));
  }

  private note(nowMs: number): void {
    if (nowMs < this.notedMs.at(-1)! + NOTE_MS) return;
    this.notedMs.push(nowMs);
    this.noted.push(this.current);
    if (this.noted.length <= MOST_NOTES) return;
    this.notedMs.shift();
    this.noted.shift();
  }
}
