import { OutputLengths } from '@sluice/latency-model';
import type { RequestClass } from '@sluice/latency-model';

/** Weight of a new sample in a running mean, once there are many. */
const FORGETTING = 0.02;
/** English text and code lie near 4 bytes a token; used until the pool's own answers say better. */
const BYTES_PER_TOKEN = 4;
/**
 * Text of any language, code, and bare bytes lie between these. A prompt beyond is not what its engine read: it has fields
 * that engines ignore, was cut, or stands for images. One of 8 MB for 10 tokens would outweigh all others.
 */
const LEAST_BYTES_PER_TOKEN = 0.25;
const MOST_BYTES_PER_TOKEN = 16;
/** Mean answer of public chat traces is some 200 tokens. */
const OUTPUT_TOKENS = 200;

/** Running mean that follows the first samples fast and later ones slowly. */
class RunningMean {
  value: number;
  samples = 0;

  constructor(prior: number) {
    this.value = prior;
  }

  add(sample: number): void {
    this.samples++;
    this.value += (sample - this.value) * Math.max(FORGETTING, 1 / (this.samples + 1));
  }
}

/** What a pool's answers have taught this router. One writer: the settling of requests. */
export class Learned {
  readonly #bytesPerToken = new RunningMean(BYTES_PER_TOKEN);
  readonly #outputs = new OutputLengths(OUTPUT_TOKENS);

  /** Bytes of rendered prompt per token. */
  get bytesPerToken(): number {
    return this.#bytesPerToken.value;
  }

  get meanOutputTokens(): number {
    return this.#outputs.mean;
  }

  /** Expected output tokens of a request of this class. */
  outputTokens(request: RequestClass): number {
    return this.#outputs.estimate(request).mean;
  }

  prompt(bytes: number, tokens: number): void {
    const ratio = bytes / tokens;
    if (ratio >= LEAST_BYTES_PER_TOKEN && ratio <= MOST_BYTES_PER_TOKEN) this.#bytesPerToken.add(ratio);
  }

  output(request: RequestClass, tokens: number): void {
    this.#outputs.observe(request, tokens);
  }

  /** What others learned, as a start; own answers count more. */
  startFrom(meanOutputTokens: number): void {
    this.#outputs.startFrom(meanOutputTokens);
  }
}
