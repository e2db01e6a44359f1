import { at, axes, acrossOf, drawing, upOf } from './axes.ts';
import type { Axis, Frame } from './axes.ts';
import { bandPath, linePath } from './line-path.ts';
import type { Position } from './line-path.ts';
import type { Range } from './scale.ts';
import { dashOf, seriesClass } from './series-style.ts';
import { escapeHtml } from './text.ts';

export interface ChartPoint {
  readonly x: number;
  /** Null breaks the line. */
  readonly y: number | null;
  /** Ends of the confidence interval. */
  readonly low?: number;
  readonly high?: number;
  /** Shown with a dot there; points without one have no dot. */
  readonly note?: string;
}

export interface ChartSeries {
  /** Number of the series: its colour, its dashes and its place in the legend. */
  readonly index: number;
  readonly name: string;
  readonly points: readonly ChartPoint[];
}

export interface LineChart {
  readonly title: string;
  readonly frame: Frame;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly ChartSeries[];
  /** A line to compare with, that is no series. */
  readonly guide?: { readonly name: string; readonly points: readonly ChartPoint[] };
}

/** Lines with bands of confidence and dots that say their values. Without a single point it says so instead. */
export function lineChart({ title, frame, x, y, series, guide }: LineChart): string {
  const clamp = clampTo(upOf(frame));
  const place = (point: ChartPoint, value: number | null | undefined): Position =>
    value === null || value === undefined ? null : [x.scale.position(point.x), clamp(y.scale.position(value))];
  const body = series.map(({ index, name, points }) => {
    const line = linePath(points.map((point) => place(point, point.y)));
    const lower = points.map((point) => place(point, point.low));
    const upper = points.map((point) => place(point, point.high));
    const dots = points.map((point) => dot(place(point, point.y), point.note));
    const dashes = dashOf(index);
    return (
      `<g class="${seriesClass(index)}"><title>${escapeHtml(name)}</title><path class="band" d="${bandPath(lower, upper)}"/>` +
      `<path class="line" d="${line}"${dashes === '' ? '' : ` stroke-dasharray="${dashes}"`}/>${dots.join('')}</g>`
    );
  });
  const guideLine =
    guide === undefined
      ? ''
      : `<path class="guide" d="${linePath(guide.points.map((point) => place(point, point.y)))}"><title>${escapeHtml(guide.name)}</title></path>`;
  const empty = series.every(({ points }) => points.every((point) => point.y === null));
  return drawing(frame, title, axes(frame, x, y) + (empty ? nothing(frame) : guideLine + body.join('')));
}

function dot(position: Position, note: string | undefined): string {
  if (position === null || note === undefined) return '';
  return `<circle class="dot" cx="${at(position[0])}" cy="${at(position[1])}" r="3.5"><title>${escapeHtml(note)}</title></circle>`;
}

/** Confidence intervals may end outside the plot. */
const clampTo =
  ([bottom, top]: Range) =>
  (position: number): number =>
    Math.min(bottom, Math.max(top, position));

/** What stands in a plot without data. */
export function nothing(frame: Frame): string {
  const [left, right] = acrossOf(frame);
  const [bottom, top] = upOf(frame);
  return `<text class="tick" text-anchor="middle" x="${(left + right) / 2}" y="${(top + bottom) / 2}">no finite values</text>`;
}
