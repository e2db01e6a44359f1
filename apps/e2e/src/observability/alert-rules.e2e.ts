import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { missingPrograms } from '../setup.ts';
import { ALERT_CASES, promtoolTests } from './alert-cases.ts';
import { RULES } from './prometheus.ts';
import { alertsOf } from './queries.ts';

/** Exit code and all output of promtool. */
const promtool = (...args: readonly string[]): Promise<{ code: number; output: string }> =>
  new Promise((resolve) => {
    const child = execFile('promtool', args, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (child.exitCode ?? 1), output: stdout + stderr }),
    );
  });

describe('alert rules in time', () => {
  let skip: string | null = null;
  let folder = '';
  beforeAll(async () => {
    skip = await missingPrograms('promtool');
    folder = await mkdtemp(join(tmpdir(), 'sluice-rules-'));
  });
  afterAll(async () => {
    if (skip !== null) console.log(`skipped: ${skip}`);
    await rm(folder, { recursive: true, force: true });
  });

  const test = async (cases: typeof ALERT_CASES) => {
    const file = join(folder, 'tests.json');
    await writeFile(file, JSON.stringify(promtoolTests(RULES, cases)));
    return promtool('test', 'rules', file);
  };

  it('every alert has a case', async () => {
    const alerts = alertsOf(await readFile(RULES, 'utf8')).map(({ alert }) => alert);
    expect(ALERT_CASES.map(({ alert }) => alert)).toEqual(alerts);
  });

  it('every alert is quiet, fires when provoked, and clears', async () => {
    if (skip !== null) return;
    expect(await test(ALERT_CASES)).toMatchObject({ code: 0 });
  });

  it('the link of an alert leads below the address in the external label', async () => {
    if (skip !== null) return;
    const file = join(folder, 'link.json');
    const fired = {
      exp_labels: { severity: 'critical', pool: 'p' },
      exp_annotations: {
        summary: 'No engine of pool p is up; its requests are refused',
        runbook_url: 'https://console.example/runbook#sluicenoengineup',
      },
    };
    const linked = {
      name: 'link',
      interval: '1m',
      input_series: [{ series: 'sluice_router_workers{state="up", pool="p"}', values: '0x9' }],
      external_labels: { runbook: 'https://console.example/runbook' },
      alert_rule_test: [{ eval_time: '5m', alertname: 'SluiceNoEngineUp', exp_alerts: [fired] }],
    };
    await writeFile(file, JSON.stringify({ rule_files: [RULES], evaluation_interval: '1m', tests: [linked] }));
    expect(await promtool('test', 'rules', file)).toMatchObject({ code: 0 });
  });

  it('an alert that never fires would be found', async () => {
    if (skip !== null) return;
    const series = { 'up{job="sluice", instance="k"}': '1x100' };
    const never = { alert: 'SluiceServiceDown', series, quiet: 9, fires: 35, clear: 95 };
    const { code, output } = await test([never]);
    expect(code).not.toBe(0);
    expect(output).toContain('SluiceServiceDown');
  });
});
