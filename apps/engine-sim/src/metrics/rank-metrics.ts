import type { FinishReason } from '@sluice/engine-model';
import type { Generation } from '../engine/generation.ts';
import { Histogram } from './histogram.ts';

const FIRST_TOKEN_S = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
const TOKEN_S = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
const REQUEST_S = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];
const STEP_TOKENS = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];

/** 1, 2, 5, 10, ... up to `max`: vLLM's buckets for numbers of tokens. */
export function oneTwoFive(max: number): number[] {
  const bounds: number[] = [];
  for (let power = 1; power <= max; power *= 10) bounds.push(power, 2 * power, 5 * power);
  return bounds.filter((bound) => bound <= max);
}

/** What vLLM counts on one rank. Seconds are of the wall clock: a speed factor shortens them. */
export class RankMetrics {
  promptTokens = 0;
  cachedPromptTokens = 0;
  generationTokens = 0;
  readonly successes: Record<FinishReason, number> = { stop: 0, length: 0 };
  /** Time by which the clock fell behind and did not catch up. */
  lagMs = 0;

  readonly stepTokens = new Histogram(STEP_TOKENS);
  readonly firstTokenS = new Histogram(FIRST_TOKEN_S);
  readonly interTokenS = new Histogram(TOKEN_S);
  readonly timePerOutputTokenS = new Histogram(TOKEN_S);
  readonly e2eS = new Histogram(REQUEST_S);
  readonly queueS = new Histogram(REQUEST_S);
  readonly inferenceS = new Histogram(REQUEST_S);
  readonly prefillS = new Histogram(REQUEST_S);
  readonly decodeS = new Histogram(REQUEST_S);
  readonly requestPreemptions = new Histogram([1, 2, 3, 4, 5, 10, 20]);
  readonly requestN = new Histogram([1, 2, 5, 10, 20]);
  readonly requestPromptTokens: Histogram;
  readonly requestGenerationTokens: Histogram;
  readonly requestMaxGenerationTokens: Histogram;
  readonly requestMaxTokens: Histogram;
  readonly requestComputedTokens: Histogram;
  private readonly speed: number;

  constructor(maxModelLen: number, speed: number) {
    const tokens = oneTwoFive(maxModelLen);
    this.speed = speed;
    this.requestPromptTokens = new Histogram(tokens);
    this.requestGenerationTokens = new Histogram(tokens);
    this.requestMaxGenerationTokens = new Histogram(tokens);
    this.requestMaxTokens = new Histogram(tokens);
    this.requestComputedTokens = new Histogram(tokens);
  }

  stepped(batchTokens: number): void {
    this.stepTokens.observe(batchTokens);
  }

  lagged(ms: number): void {
    this.lagMs += ms;
  }

  /** A token of `generation` appeared at `nowMs`; keeps the times that {@link finished} needs. */
  token(generation: Generation, nowMs: number): void {
    this.generationTokens++;
    generation.outputTokens++;
    if (generation.lastTokenMs === null) {
      const cached = generation.progress?.cachedTokens ?? 0;
      this.promptTokens += generation.promptTokens.length;
      this.cachedPromptTokens += cached;
      this.firstTokenS.observe((nowMs - generation.arrivedMs) / 1000);
      generation.firstTokenMs = nowMs;
    } else {
      this.interTokenS.observe((nowMs - generation.lastTokenMs) / 1000);
    }
    generation.lastTokenMs = nowMs;
  }

  /** The request ended by itself; aborted ones are not counted, as in vLLM. */
  finished(generation: Generation, reason: FinishReason, nowMs: number): void {
    const { progress } = generation;
    if (progress === null || generation.firstTokenMs === null) return;
    const promptTokens = generation.promptTokens.length;
    this.successes[reason]++;
    // The engine's clock is the wall clock times the speed.
    const queuedMs = progress.submittedMs / this.speed;
    const scheduledMs = (progress.scheduledMs ?? progress.submittedMs) / this.speed;
    const decodeS = (nowMs - generation.firstTokenMs) / 1000;
    this.e2eS.observe((nowMs - generation.arrivedMs) / 1000);
    this.queueS.observe(Math.max(0, scheduledMs - queuedMs) / 1000);
    this.prefillS.observe((generation.firstTokenMs - scheduledMs) / 1000);
    this.inferenceS.observe((nowMs - scheduledMs) / 1000);
    this.decodeS.observe(decodeS);
    if (generation.outputTokens > 1) this.timePerOutputTokenS.observe(decodeS / (generation.outputTokens - 1));
    else this.timePerOutputTokenS.observe(0);
    this.requestPreemptions.observe(progress.preemptions);
    this.requestN.observe(1);
    this.requestPromptTokens.observe(promptTokens);
    this.requestGenerationTokens.observe(generation.outputTokens);
    this.requestMaxGenerationTokens.observe(generation.outputTokens);
    this.requestMaxTokens.observe(generation.maxTokens);
    this.requestComputedTokens.observe(promptTokens - progress.cachedTokens);
  }
}
