/** Stands for every tier where a tier code is asked for. */
export const ALL_TIERS = 255;

/** Receives blocks that a worker holds; keys are unsigned 32-bit words, tiers are codes. */
export interface BlockSink {
  store(
    tier: number,
    keyHi: number,
    keyLo: number,
    parentHi: number,
    parentLo: number,
    spanBytes: number,
    tokens: number,
  ): void;
}

/** Receives changes to what a worker holds, in order. */
export interface BlockChangeSink extends BlockSink {
  remove(tier: number, keyHi: number, keyLo: number): void;
  /** `tier` is a tier code or {@link ALL_TIERS}. */
  clear(tier: number): void;
}
