import { describe, expect, it } from '@jest/globals';
import type { PolicyId } from '@sluice/routing';
import { SIMULATED_POLICY_IDS } from '@sluice/routing';
import type { TwinResult } from '@sluice/twin';
import { FIDELITY } from '@sluice/twin';
import { histogramOf } from '../latency-histogram.ts';
import { outcomeWith } from '../testing/results.ts';
import { reportPage } from './page.ts';
import type { ReportData } from './report-data.ts';
import { escapeHtml } from './text.ts';

interface Given {
  readonly policies?: readonly PolicyId[];
  readonly loads?: readonly number[];
  readonly seeds?: number;
  readonly engines?: number;
  readonly result?: Partial<TwinResult>;
}

function dataOf({ policies = ['p2c', 'random'], loads = [7], seeds = 2, engines = 3, result }: Given = {}): ReportData {
  const outcomes = loads.flatMap((load) =>
    policies.flatMap((policy) =>
      Array.from({ length: seeds }, (_, i) => outcomeWith(policy, i + 1, load, engines, result)),
    ),
  );
  return {
    title: 'b2b at 7 QPS',
    subtitle: 'three engines',
    command: 'npx sluice simulate',
    facts: [['Seeds', '1 to 2']],
    serviceLevel: 'TTFT 2000 ms',
    policies,
    loads,
    loadAxis: 'requests per second',
    loadIsRate: true,
    loadName: (load) => `${load} QPS`,
    engines: Array.from({ length: engines }, (_, row) => ({
      name: row === 0 ? 'fast' : 'slow',
      kind: Number(row > 0),
    })),
    warmUpMs: 2000,
    fleetChanges: [{ engine: 1, kind: 'kill', atMs: 9000 }],
    outcomes,
  };
}

/** Fails where tags do not close in the order in which they were opened. */
function expectWellFormed(html: string): void {
  const open: string[] = [];
  const withoutStyle = html.replace(/<style>[^]*<\/style>/, '');
  for (const [, closing, name, rest] of withoutStyle.matchAll(/<(\/?)([a-z][a-z0-9]*)((?:[^<>"]|"[^"]*")*)>/g)) {
    if (['meta', 'input'].includes(name!) || rest!.endsWith('/')) continue;
    if (closing === '') open.push(name!);
    else expect(open.pop()).toBe(name);
  }
  expect(open).toEqual([]);
}

const WHATEVER = /NaN|undefined|Infinity|\[object/;

describe('reportPage', () => {
  it.each<[string, Given]>([
    ['one load', {}],
    ['a sweep', { loads: [2, 4, 8] }],
    ['one seed', { seeds: 1 }],
    ['every policy', { policies: SIMULATED_POLICY_IDS }],
    ['a hundred engines', { engines: 100 }],
    ['one engine', { engines: 1, policies: ['p2c'] }],
  ])('is well-formed and has only finite numbers for %s', (_, given) => {
    const html = reportPage(dataOf(given));
    expectWellFormed(html);
    expect(html).not.toMatch(WHATEVER);
    for (const policy of given.policies ?? []) expect(html).toContain(policy);
  });

  it('loads nothing and runs nothing', () => {
    const html = reportPage(dataOf({ loads: [2, 4] }));
    expect(html).not.toMatch(/https?:|\/\/|src=|href=|url\(|@import|<script/);
  });

  it('is the same for the same data', () => {
    expect(reportPage(dataOf())).toBe(reportPage(dataOf()));
  });

  it('escapes what users wrote', () => {
    const nasty = `<script>alert("x")</script> & 'co'`;
    const html = reportPage({
      ...dataOf(),
      title: nasty,
      subtitle: nasty,
      command: nasty,
      serviceLevel: nasty,
      loadAxis: nasty,
      facts: [[nasty, nasty]],
      engines: dataOf().engines.map(({ kind }) => ({ name: nasty, kind })),
    });
    expect(html).not.toContain('<script');
    expect(html).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;co&#39;');
    expectWellFormed(html);
  });

  it('shows what failed runs made infinite as dashes, and charts without data as such', () => {
    const none = { mean: null, p50: null, p90: null, p99: null, p999: null };
    const data = dataOf({ loads: [2, 4], result: { ttftMs: none, goodput: null, capturedReuse: null } });
    const empty = histogramOf([Infinity]);
    const outcomes = data.outcomes.map((outcome) => ({
      ...outcome,
      details: { ...outcome.details!, ttft: empty, work: [0, 0, 0], timelines: { timesMs: [], engines: [] } },
    }));
    const html = reportPage({ ...data, outcomes });
    expectWellFormed(html);
    expect(html).not.toMatch(WHATEVER);
    expect(html).toContain('>–</td>');
    expect(html.match(/no finite values/g)!.length).toBeGreaterThanOrEqual(3);
  });

  it('states the fidelity, the command, the seeds and what happened to the fleet', () => {
    const html = reportPage(dataOf());
    expect(html).toContain(escapeHtml(FIDELITY));
    expect(html).toContain('npx sluice simulate');
    expect(html).toContain('seeds 1 to 2');
    expect(html).toContain('engine 1 dies at 9 s');
    expect(reportPage(dataOf({ seeds: 1 }))).toContain('one seed, so without confidence intervals');
  });

  it('has tables and charts for every load, and a sweep only where there is one', () => {
    const swept = reportPage(dataOf({ loads: [2, 4] }));
    expect(swept).toContain('By load');
    expect(swept).toContain('p2c at 4 QPS: 100 ms ± 0 ms');
    expect(swept.match(/<details/g)).toHaveLength(2);
    const single = reportPage(dataOf());
    expect(single).not.toContain('By load');
    expect(single.match(/<table/g)).toHaveLength(2);
    // 3 distributions, 2 shares, work of 2 policies, 3 timelines of each
    expect(single.match(/role="img"/g)).toHaveLength(3 + 2 + 2 + 6);
  });

  it('draws many engines as a band', () => {
    expect(reportPage(dataOf({ engines: 16 }))).not.toContain('from the least to the greatest engine<');
    expect(reportPage(dataOf({ engines: 17 }))).toContain('from the least to the greatest engine<');
  });

  it('marks the best of a column, but not the oracle', () => {
    const data = dataOf({ policies: ['p2c', 'oracle'], seeds: 1 });
    const outcomes = data.outcomes.map((outcome) => ({
      ...outcome,
      result: { ...outcome.result, goodput: outcome.policy === 'oracle' ? 9 : 4 },
    }));
    expect(reportPage({ ...data, outcomes })).not.toMatch(/class="(opens )?best"/);
    const third = outcomes.map((outcome) => ({ ...outcome, policy: 'random' as const }));
    const three = { ...data, policies: ['p2c', 'oracle', 'random'] as const, outcomes: [...outcomes, third[1]!] };
    expect(reportPage(three).match(/class="(opens )?best"/g)).toHaveLength(1);
  });
});
