import { cdfOf } from '../latency-histogram.ts';
import type { CdfPoint, LatencyHistogram } from '../latency-histogram.ts';
import { acrossOf, upOf } from './axes.ts';
import type { Frame } from './axes.ts';
import { lineChart } from './line-chart.ts';
import type { ChartPoint } from './line-chart.ts';
import { logScale, shareScale } from './scale.ts';
import { duration, percent } from './text.ts';

const FRAME: Frame = { width: 430, height: 310, left: 52, right: 16, top: 32, bottom: 44 };
/** Where the lines have dots with their values. */
const MARKED = [0.5, 0.9, 0.99, 0.999];
const LEAST_SHARE = 0.01;

export interface CdfSeries {
  readonly index: number;
  readonly name: string;
  readonly histogram: LatencyHistogram;
}

/** Cumulative distributions of a latency, log scale across and a probability scale upwards, as far up as the counts carry. */
export function cdfChart(title: string, axisLabel: string, series: readonly CdfSeries[]): string {
  const most = Math.max(0, ...series.map(({ histogram }) => histogram.total));
  const top = most >= 2000 ? 0.999 : most >= 200 ? 0.99 : 0.9;
  const lines = series.map((each) => ({ ...each, points: visible(cdfOf(each.histogram), top) }));
  const values = lines.flatMap(({ points }) => points.map(({ ms }) => ms));
  const [min, max] = values.length === 0 ? [1, 1000] : [Math.min(...values), Math.max(...values)];
  return lineChart({
    title,
    frame: FRAME,
    x: { label: axisLabel, scale: logScale({ min, max, range: acrossOf(FRAME), format: duration }) },
    y: { label: 'requests that took at most that', scale: shareScale(LEAST_SHARE, top, upOf(FRAME)) },
    series: lines.map(({ index, name, points }) => ({ index, name, points: points.map(chartPoint(name, points)) })),
  });
}

/** The part of a distribution between the ends of the scale, cut off there. */
function visible(points: readonly CdfPoint[], top: number): CdfPoint[] {
  const first = points.findIndex(({ share }) => share >= LEAST_SHARE);
  if (first < 0) return [];
  const end = points.findIndex(({ share }) => share >= top);
  const shown = points.slice(first, end < 0 ? points.length : end + 1);
  const rising = shown.map(({ ms, share }) => ({ ms, share: Math.min(top, share) }));
  return [{ ms: rising[0]!.ms, share: LEAST_SHARE }, ...rising];
}

/** Marks the first point at or above each of the marked shares. */
const chartPoint =
  (name: string, points: readonly CdfPoint[]) =>
  ({ ms, share }: CdfPoint, index: number): ChartPoint => {
    const before = points[index - 1]?.share ?? 0;
    const marked = MARKED.filter((mark) => before < mark && share >= mark).at(-1);
    const point = { x: ms, y: share };
    return marked === undefined ? point : { ...point, note: `${name}: ${percent(marked)} within ${duration(ms)}` };
  };
