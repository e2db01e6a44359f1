import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXPECTED, RANDOM } from './arms.ts';
import { KeptRuns } from './kept-runs.ts';
import type { RunOutcome } from './run-scenario.ts';

const job = { scenario: 'unique:6', arm: EXPECTED, seed: 1 };
const outcome = (requests: number): RunOutcome => ({ scenario: 'unique:6', requests }) as unknown as RunOutcome;

describe('KeptRuns', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kept-runs-'));
    file = join(folder, 'runs.jsonl');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('finds what an earlier process kept, by scenario, policy with options and seed', () => {
    new KeptRuns(file).keep(job, outcome(7));
    const again = new KeptRuns(file);
    expect(again.find(job)).toEqual(outcome(7));
    expect(again.find({ ...job, seed: 2 })).toBeUndefined();
    expect(again.find({ ...job, arm: RANDOM })).toBeUndefined();
    expect(again.find({ ...job, arm: { ...EXPECTED, options: {} } })).toBeUndefined();
    expect(again.reused).toBe(1);
  });

  it('leaves out a line that was cut short, and goes on behind it', () => {
    new KeptRuns(file).keep(job, outcome(7));
    appendFileSync(file, '{"key":"cut');
    new KeptRuns(file).keep({ ...job, seed: 2 }, outcome(8));
    const again = new KeptRuns(file);
    expect(again.find(job)).toEqual(outcome(7));
    expect(again.find({ ...job, seed: 2 })).toEqual(outcome(8));
    expect(readFileSync(file, 'utf8')).not.toContain('cut');
  });

  it('keeps nothing without a file', () => {
    const none = new KeptRuns(null);
    none.keep(job, outcome(7));
    expect(none.find(job)).toBeUndefined();
  });
});
