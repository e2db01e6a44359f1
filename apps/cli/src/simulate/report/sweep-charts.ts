import type { ConfidenceInterval } from '@sluice/twin';
import { estimate, metric } from '../metrics.ts';
import { acrossOf, upOf } from './axes.ts';
import type { Frame } from './axes.ts';
import { lineChart } from './line-chart.ts';
import type { ChartPoint, ChartSeries } from './line-chart.ts';
import { outcomesOf } from './report-data.ts';
import type { ReportData } from './report-data.ts';
import { linearScale, logScale } from './scale.ts';
import type { Scale, ScaleOptions } from './scale.ts';
import { compactNumber, duration } from './text.ts';

const FRAME: Frame = { width: 430, height: 310, left: 56, right: 20, top: 32, bottom: 44 };

interface SweepChart {
  readonly title: string;
  readonly metric: string;
  readonly axis: string;
  readonly format: (value: number) => string;
  readonly log: boolean;
}

const CHARTS: readonly SweepChart[] = [
  { title: 'Median TTFT', metric: 'ttft-p50', axis: 'TTFT, median (log scale)', format: duration, log: true },
  { title: 'p99 TTFT', metric: 'ttft-p99', axis: 'TTFT, 99th percentile (log scale)', format: duration, log: true },
  { title: 'Goodput', metric: 'goodput', axis: 'good requests per second', format: compactNumber, log: false },
];

/** How latency and goodput change with the load, with 95 % confidence bands. A seed without a finite value breaks the line. */
export const sweepCharts = (data: ReportData): string[] => CHARTS.map((chart) => sweepChart(data, chart));

function sweepChart(data: ReportData, { title, metric: id, axis, format, log }: SweepChart): string {
  const series = data.policies.map((policy, index): ChartSeries => {
    const points = data.loads.map((load): ChartPoint => {
      const runs = outcomesOf(data, load, policy).map(({ result }) => result);
      return pointOf(
        load,
        estimate(runs, metric(id)),
        (text) => `${policy} at ${data.loadName(load)}: ${text}`,
        format,
      );
    });
    return { index, name: policy, points };
  });
  const offered = data.loadIsRate && id === 'goodput' ? data.loads.map((load) => ({ x: load, y: load })) : [];
  const values = series.flatMap(({ points }) => points.flatMap(({ y }) => (y === null ? [] : [y])));
  const range = upOf(FRAME);
  const scale = log
    ? logScale(logDomain(values, { range, format }))
    : linearScale({ min: 0, max: Math.max(0, ...values, ...offered.map((point) => point.y)), range, format });
  return lineChart({
    title,
    frame: FRAME,
    x: { label: data.loadAxis, scale: loadScale(data) },
    y: { label: axis, scale },
    series,
    guide: { name: 'requests offered', points: offered },
  });
}

function pointOf(
  x: number,
  interval: ConfidenceInterval | null,
  name: (text: string) => string,
  format: (value: number) => string,
): ChartPoint {
  if (interval === null) return { x, y: null };
  const { mean, halfWidth } = interval;
  if (halfWidth === null) return { x, y: mean, note: name(format(mean)) };
  const low = Math.max(Number.MIN_VALUE, mean - halfWidth);
  return { x, y: mean, low, high: mean + halfWidth, note: name(`${format(mean)} ± ${format(halfWidth)}`) };
}

/** Some room on both sides: a line on the frame cannot be seen. */
function logDomain(values: readonly number[], rest: Pick<ScaleOptions, 'range' | 'format'>): ScaleOptions {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return { min: 1, max: 1000, ...rest };
  return { min: Math.min(...positive) / 1.3, max: Math.max(...positive) * 1.3, ...rest };
}

/** Ticks at the loads that were run. */
function loadScale({ loads }: ReportData): Scale {
  const [min, max] = [Math.min(...loads), Math.max(...loads)];
  const { position } = linearScaleTo(min, max);
  const spread = [...loads].sort((a, b) => a - b);
  return { position, ticks: spread.map((value) => ({ value, label: compactNumber(value) })) };
}

/** From a little before the least load to a little after the greatest. */
function linearScaleTo(min: number, max: number): Pick<Scale, 'position'> {
  const [left, right] = acrossOf(FRAME);
  const margin = 14;
  const width = right - left - 2 * margin;
  return { position: (load) => left + margin + (max > min ? ((load - min) / (max - min)) * width : width / 2) };
}
