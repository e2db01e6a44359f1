import { parentPort, workerData } from 'node:worker_threads';
import type { RunOutcome } from './outcome.ts';
import { createRunner } from './run-job.ts';
import type { Job } from './run-job.ts';
import type { Scenario } from './scenario.ts';

/** What the thread says: how far its run is, then what came of it. */
export type WorkerReport =
  { readonly kind: 'progress'; readonly share: number } | { readonly kind: 'done'; readonly outcome: RunOutcome };

const port = parentPort;
if (port === null) throw new Error('run-worker.ts is started by run-jobs.ts, as a thread');
const report = (message: WorkerReport): void => port.postMessage(message);
const run = createRunner(workerData as Scenario);

port.on('message', (job: Job) => {
  const outcome = run(job, (share) => report({ kind: 'progress', share }));
  report({ kind: 'done', outcome });
});
