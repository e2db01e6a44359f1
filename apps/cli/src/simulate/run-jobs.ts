import { Worker } from 'node:worker_threads';
import type { RunOutcome } from './outcome.ts';
import { createRunner } from './run-job.ts';
import type { Job } from './run-job.ts';
import type { WorkerReport } from './run-worker.ts';
import type { Scenario } from './scenario.ts';

/** Told how many runs' worth of work is done: 2.5 may be two runs and half of a third, or five halves. */
export type OnProgress = (done: number) => void;

/**
 * Makes every run, `threads` at a time, and returns their outcomes in the order of the jobs. Runs know nothing of each
 * other: the outcomes are the same whatever `threads` is. With one thread they are made in this one.
 */
export async function runJobs(
  scenario: Scenario,
  jobs: readonly Job[],
  threads: number,
  onProgress: OnProgress,
): Promise<RunOutcome[]> {
  if (threads === 1 || jobs.length === 1) {
    const run = createRunner(scenario);
    return jobs.map((job, index) => run(job, (share) => onProgress(index + share)));
  }
  const pool = new JobPool(scenario, jobs, onProgress);
  await Promise.all(Array.from({ length: Math.min(threads, jobs.length) }, () => pool.work()));
  return pool.outcomes;
}

/** Beside this file, compiled or not. */
const WORKER = new URL(`./run-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

class JobPool {
  readonly outcomes: RunOutcome[] = [];
  private readonly scenario: Scenario;
  private readonly jobs: readonly Job[];
  private readonly onProgress: OnProgress;
  private readonly shares: number[];
  private next = 0;

  constructor(scenario: Scenario, jobs: readonly Job[], onProgress: OnProgress) {
    this.scenario = scenario;
    this.jobs = jobs;
    this.onProgress = onProgress;
    this.shares = jobs.map(() => 0);
  }

  /** One thread, making runs until there are none left. */
  async work(): Promise<void> {
    const worker = new Worker(WORKER, { workerData: this.scenario });
    try {
      while (this.next < this.jobs.length) {
        const index = this.next++;
        this.outcomes[index] = await this.runOn(worker, index);
      }
    } finally {
      await worker.terminate();
    }
  }

  private runOn(worker: Worker, index: number): Promise<RunOutcome> {
    const job = this.jobs[index]!;
    return new Promise((resolve, reject) => {
      const heard = (report: WorkerReport): void => {
        if (report.kind === 'progress') {
          this.progressed(index, report.share);
          return;
        }
        this.progressed(index, 1);
        worker.off('message', heard);
        worker.off('error', reject);
        resolve(report.outcome);
      };
      worker.on('message', heard);
      worker.once('error', reject);
      worker.postMessage(job);
    });
  }

  private progressed(index: number, share: number): void {
    this.shares[index] = share;
    this.onProgress(this.shares.reduce((sum, each) => sum + each, 0));
  }
}
