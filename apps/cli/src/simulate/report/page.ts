import { FIDELITY } from '@sluice/twin';
import type { PolicyId } from '@sluice/routing';
import { mergeHistograms } from '../latency-histogram.ts';
import type { RunDetails } from '../outcome.ts';
import { cdfChart } from './cdf-chart.ts';
import { outcomesOf } from './report-data.ts';
import type { ReportData } from './report-data.ts';
import { seriesClass } from './series-style.ts';
import { shareBars } from './share-bars.ts';
import { styleSheet } from './style.ts';
import { summaryTables, swatch } from './summary-table.ts';
import { sweepCharts } from './sweep-charts.ts';
import { escapeHtml } from './text.ts';
import { MOST_LINES, timelineCharts, timelineScales } from './timeline-charts.ts';
import { mostWork, workChart } from './work-chart.ts';

/** The report as one HTML page that loads nothing else. */
export function reportPage(data: ReportData): string {
  const title = escapeHtml(data.title);
  const swept = data.loads.length > 1;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title}</title>
<style>${styleSheet(data.policies.length)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="soft">${escapeHtml(data.subtitle)}. Run by sluice in virtual time, ${seedsOf(data)}. Goodput asks for ${escapeHtml(data.serviceLevel)}.</p>
<p class="trust"><strong>How far to trust this:</strong> ${escapeHtml(FIDELITY)}</p>
</header>
<nav class="legend" aria-label="policies"><div>${data.policies.map(legendEntry).join('')}</div></nav>
<main>
${swept ? sweepSection(data) : ''}
${data.loads.map((load) => loadSection(data, load, swept)).join('\n')}
<h2>How this was made</h2>
<pre><code>${escapeHtml(data.command)}</code></pre>
<dl>${data.facts.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join('')}</dl>
</main>
<footer>Means over the seeds; ± and whiskers are half of the 95 % confidence interval by Student's t. Failed requests count as infinitely late; – is a value that they made infinite, or that was not measured. Lines and dots say their values when pointed at; the boxes at the top hide policies.</footer>
</body>
</html>
`;
}

function seedsOf({ outcomes }: ReportData): string {
  const count = new Set(outcomes.map(({ seed }) => seed)).size;
  return count === 1 ? 'one seed, so without confidence intervals' : `seeds 1 to ${count}`;
}

function legendEntry(policy: PolicyId, index: number): string {
  const name = seriesClass(index);
  return `<label><input type="checkbox" id="show-${name}" checked>${swatch(index)}${escapeHtml(policy)}</label>`;
}

const figure = (caption: string, drawing: string): string =>
  `<figure><figcaption>${escapeHtml(caption)}</figcaption>${drawing}</figure>`;

function sweepSection(data: ReportData): string {
  const captions = ['Median TTFT', 'p99 TTFT', 'Goodput'];
  const charts = sweepCharts(data).map((chart, i) => figure(captions[i]!, chart));
  return `<h2>By load</h2><p class="soft">Bands are 95 % confidence intervals. A line ends where so many requests failed that the value is infinite.${data.loadIsRate ? ' The dotted grey line is the offered rate; goodput counts the time that the last requests need too, so it stays below.' : ''}</p><div class="grid-3">${charts.join('')}</div>`;
}

/** Everything about one load; in a sweep all but the last are folded away. */
function loadSection(data: ReportData, load: number, swept: boolean): string {
  const parts = [
    summaryTables(data, load),
    `<p class="soft">Green marks the best mean of a column; where intervals overlap it may be chance.${data.policies.includes('oracle') ? ' The oracle, which knows what no router can, does not compete.' : ''} Columns explain themselves when pointed at.</p>`,
    latencySection(data, load),
    cacheSection(data, load),
    workSection(data, load),
    timelineSection(data, load),
  ].join('\n');
  if (!swept) return `<h2>Results</h2>${parts}`;
  const open = load === data.loads.at(-1) ? ' open' : '';
  return `<details${open}><summary>Results at ${escapeHtml(data.loadName(load))}</summary>${parts}</details>`;
}

function latencySection(data: ReportData, load: number): string {
  const chart = (pick: (details: RunDetails) => RunDetails['ttft'], caption: string, axis: string): string => {
    const series = data.policies.map((policy, index) => {
      const details = outcomesOf(data, load, policy).flatMap((outcome) => outcome.details ?? []);
      return { index, name: policy, histogram: mergeHistograms(details.map(pick)) };
    });
    return figure(caption, cdfChart(caption, axis, series));
  };
  return `<h3>Latency distributions, all seeds together</h3><div class="grid-3">${[
    chart((details) => details.ttft, 'Time to the first token', 'TTFT (log scale)'),
    chart((details) => details.tpot, 'Time per output token', 'TPOT (log scale)'),
    chart((details) => details.e2e, 'Time to the last token', 'end to end (log scale)'),
  ].join('')}</div>`;
}

const cacheSection = (data: ReportData, load: number): string =>
  `<h3>Prefix caches</h3><div class="grid-2">${[
    figure('Cached prompt tokens', shareBars(data, load, 'cached', '% of all prompt tokens')),
    figure('Captured reuse', shareBars(data, load, 'captured', '% of what one large cache would have found')),
  ].join('')}</div>`;

function workSection(data: ReportData, load: number): string {
  const most = mostWork(data, load);
  const charts = data.policies.map(
    (policy, index) =>
      `<figure class="${seriesClass(index)}"><figcaption>${escapeHtml(policy)}</figcaption>${workChart(data, load, policy, most)}</figure>`,
  );
  return `<h3>Work of every engine</h3><p class="soft">Bars are means over the seeds, dots single seeds.</p><div class="grid-4">${charts.join('')}</div>`;
}

function timelineSection(data: ReportData, load: number): string {
  const scales = timelineScales(data, load);
  const rows = data.policies.map((policy, index) => {
    const charts = timelineCharts(data, load, policy, scales);
    if (charts === null) return '';
    return `<section class="${seriesClass(index)}"><h4>${swatch(index)}${escapeHtml(policy)}</h4><div class="grid-3">${charts.map((chart) => `<figure>${chart}</figure>`).join('')}</div></section>`;
  });
  return `<h3>Engines over time, first seed</h3><p class="soft">${timelineKey(data)}</p>${rows.join('')}`;
}

/** What the lines of the timelines mean, as far as there are any. */
function timelineKey({ engines, warmUpMs, fleetChanges }: ReportData): string {
  const kinds = [...new Set(engines.map(({ name }) => name))];
  return [
    engines.length > MOST_LINES
      ? 'The band goes from the least to the greatest engine, the line is their mean.'
      : 'A thin line is an engine, the thick one the mean of all.',
    kinds.length > 1 && engines.length <= MOST_LINES
      ? `Solid: ${kinds[0]}; with dashes: ${kinds.slice(1).join(', ')}.`
      : '',
    warmUpMs > 0 ? 'Grey is the warm-up, which is not measured.' : '',
    fleetChanges.length > 0 ? 'At an upright line an engine dies, at one with dashes it is back.' : '',
  ]
    .map(escapeHtml)
    .join(' ');
}
