import { appendFileSync, existsSync, readFileSync, statSync, truncateSync } from 'node:fs';
import type { Job } from './pool.ts';
import type { RunOutcome } from './run-scenario.ts';

interface KeptRun {
  readonly key: string;
  readonly outcome: RunOutcome;
}

/**
 * Outcomes in a file of JSON lines, so that a long part can be interrupted, or one policy run again without the others.
 * A run is known by its scenario, policy with options and seed: nothing notices that the code has changed since. Who
 * changes the twin begins a new file; who changes a policy leaves out its lines.
 */
export class KeptRuns {
  /** How many outcomes were taken from the file. */
  reused = 0;
  private readonly file: string | null;
  private readonly outcomes = new Map<string, RunOutcome>();

  /** `file` null: nothing is kept. A last line that an interruption cut short is left out. */
  constructor(file: string | null) {
    this.file = file;
    if (file === null || !existsSync(file)) return;
    const lines = readFileSync(file, 'utf8').split('\n');
    const cutShort = lines.pop()!;
    for (const line of lines) {
      const { key, outcome } = JSON.parse(line) as KeptRun;
      this.outcomes.set(key, outcome);
    }
    if (cutShort !== '') truncateSync(file, statSync(file).size - Buffer.byteLength(cutShort));
  }

  find(job: Job): RunOutcome | undefined {
    const found = this.outcomes.get(keyOf(job));
    if (found) this.reused++;
    return found;
  }

  keep(job: Job, outcome: RunOutcome): void {
    if (this.file === null) return;
    const kept: KeptRun = { key: keyOf(job), outcome };
    appendFileSync(this.file, `${JSON.stringify(kept)}\n`);
    this.outcomes.set(kept.key, outcome);
  }
}

const keyOf = ({ scenario, arm, seed }: Job): string => JSON.stringify([scenario, arm, seed]);
