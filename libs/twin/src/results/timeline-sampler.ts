import type { EngineStats } from '@sluice/engine-model';
import type { TwinTimelines } from '../api.ts';
import type { EngineFleet } from '../engines/engine-fleet.ts';

/** One engine's samples, as they grow. */
class EngineSamples {
  readonly running: number[] = [];
  readonly waiting: number[] = [];
  readonly kvUsage: number[] = [];
  readonly cachedShare: (number | null)[] = [];
  /** Tokens looked up and found at the sample before. */
  private queryTokens = 0;
  private hitTokens = 0;

  add(stats: EngineStats | null): void {
    this.running.push(stats?.runningRequests ?? 0);
    this.waiting.push(stats?.waitingRequests ?? 0);
    this.kvUsage.push(stats?.kvUsage ?? 0);
    const query = stats?.prefixQueryTokens ?? 0;
    const hit = stats?.prefixHitTokens ?? 0;
    // a new engine counts from zero
    const [queryBefore, hitBefore] = query < this.queryTokens ? [0, 0] : [this.queryTokens, this.hitTokens];
    this.cachedShare.push(query > queryBefore ? (hit - hitBefore) / (query - queryBefore) : null);
    this.queryTokens = query;
    this.hitTokens = hit;
  }
}

/** What the engines looked like, time after time. */
export class TimelineSampler {
  private readonly fleet: EngineFleet;
  private readonly timesMs: number[] = [];
  private readonly engines: readonly EngineSamples[];

  constructor(fleet: EngineFleet) {
    this.fleet = fleet;
    this.engines = Array.from({ length: fleet.size }, () => new EngineSamples());
  }

  sample(nowMs: number): void {
    this.timesMs.push(nowMs);
    for (const [row, samples] of this.engines.entries()) samples.add(this.fleet.stats(row));
  }

  timelines(): TwinTimelines {
    const engines = this.engines.map(({ running, waiting, kvUsage, cachedShare }) => ({
      running,
      waiting,
      kvUsage,
      cachedShare,
    }));
    return { timesMs: this.timesMs, engines };
  }
}
