import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Arm } from './arms.ts';
import type { KeptRuns } from './kept-runs.ts';
import type { Progress } from './progress.ts';
import type { RunOutcome } from './run-scenario.ts';
import type { ScenarioSettings } from './scenario.ts';

/** One run. */
export interface Job {
  readonly scenario: string;
  readonly arm: Arm;
  readonly seed: number;
}

type Answer =
  | { readonly kind: 'progress'; readonly share: number }
  | { readonly kind: 'done'; readonly outcome: RunOutcome }
  | { readonly kind: 'missing'; readonly file: string };

/** Threads that share the runs of a part: one per core. */
export class RunPool {
  /** Traces that were wanted and are not there. */
  readonly missing = new Set<string>();
  private readonly workers: readonly Worker[];
  private readonly progress: Progress;
  private readonly kept: KeptRuns;

  constructor(settings: ScenarioSettings, progress: Progress, kept: KeptRuns) {
    this.progress = progress;
    this.kept = kept;
    this.workers = Array.from(
      { length: availableParallelism() },
      () => new Worker(new URL('./run-worker.ts', import.meta.url), { workerData: settings }),
    );
  }

  /** What the jobs showed, in their order; those whose trace is missing are left out. */
  async run(jobs: readonly Job[]): Promise<RunOutcome[]> {
    const outcomes: (RunOutcome | undefined)[] = [];
    let next = 0;
    this.progress.expect(jobs.length);
    const work = async (worker: Worker): Promise<void> => {
      while (next < jobs.length) {
        const number = next++;
        outcomes[number] = await this.runOn(worker, jobs[number]!);
      }
    };
    await Promise.all(this.workers.map(work));
    return outcomes.filter((outcome) => outcome !== undefined);
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  private runOn(worker: Worker, job: Job): Promise<RunOutcome | undefined> {
    const label = `${job.scenario}, ${job.arm.label}, seed ${job.seed}`;
    const known = this.kept.find(job);
    if (known) {
      this.progress.advance(1, label);
      return Promise.resolve(known);
    }
    const { promise, resolve, reject } = Promise.withResolvers<RunOutcome | undefined>();
    let seen = 0;
    const advance = (share: number): void => {
      this.progress.advance(share - seen, label);
      seen = share;
    };
    const onMessage = (answer: Answer): void => {
      if (answer.kind === 'progress') return advance(answer.share);
      if (answer.kind === 'missing') this.missing.add(answer.file);
      advance(1);
      if (answer.kind === 'done') this.kept.keep(job, answer.outcome);
      resolve(answer.kind === 'done' ? answer.outcome : undefined);
    };
    worker.on('message', onMessage).once('error', reject);
    worker.postMessage(job);
    return promise.finally(() => worker.off('message', onMessage).off('error', reject));
  }
}
