/** A thread that runs what it is sent, one run after another. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Job } from './pool.ts';
import { runScenario } from './run-scenario.ts';
import { MissingTrace, scenarioOf } from './scenario.ts';
import type { ScenarioSettings } from './scenario.ts';

const port = parentPort!;
const settings = workerData as ScenarioSettings;

port.on('message', (job: Job) => {
  const { scenario: id, arm, seed } = job;
  runScenario(id, scenarioOf(id, settings), arm, seed, (share) => port.postMessage({ kind: 'progress', share })).then(
    (outcome) => port.postMessage({ kind: 'done', outcome }),
    (error: Error) => {
      if (!(error instanceof MissingTrace)) throw error;
      port.postMessage({ kind: 'missing', file: error.message });
    },
  );
});
