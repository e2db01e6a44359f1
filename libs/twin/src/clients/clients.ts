import type { SimulatedRequest, Stage } from '../api.ts';
import type { Timeline } from '../clock/timeline.ts';

/** The clients: send every request at its time, whatever became of those before, and stage after stage. */
export class Clients {
  private readonly requests: readonly SimulatedRequest[];
  private readonly timeline: Timeline;
  private readonly send: (index: number, nowMs: number) => void;
  /** Pauses before stages, by their first request. */
  private readonly pausesMs: ReadonlyMap<number, number>;
  private stageStartMs = 0;
  /** First request of the stage that waits; -1: none does. */
  private held = -1;
  private ended = 0;
  private lastEndMs = 0;

  constructor(
    requests: readonly SimulatedRequest[],
    stages: readonly Stage[],
    timeline: Timeline,
    send: (index: number, nowMs: number) => void,
  ) {
    this.requests = requests;
    this.timeline = timeline;
    this.send = send;
    this.pausesMs = new Map(stages.map(({ firstRequest, pauseMs }) => [firstRequest, pauseMs]));
  }

  start(): void {
    if (this.requests.length > 0) this.expect(0);
  }

  /** A request has ended, in whatever way. */
  requestEnded(nowMs: number): void {
    this.ended++;
    this.lastEndMs = nowMs;
    if (this.ended === this.held) this.expect(this.held);
  }

  /** Request number `index` is sent in its time, and the next one is expected. */
  private expect(index: number): void {
    const pauseMs = this.pausesMs.get(index);
    if (pauseMs !== undefined) {
      this.held = this.ended < index ? index : -1;
      if (this.held >= 0) return;
      this.stageStartMs = this.lastEndMs + pauseMs;
    }
    this.timeline.push(this.stageStartMs + this.requests[index]!.arrivalMs, {
      fire: (nowMs) => {
        if (index + 1 < this.requests.length) this.expect(index + 1);
        this.send(index, nowMs);
      },
    });
  }
}
