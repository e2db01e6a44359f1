import { estimate, metric } from '../metrics.ts';
import { acrossOf, at, axes, drawing, upOf } from './axes.ts';
import type { Frame } from './axes.ts';
import { outcomesOf } from './report-data.ts';
import type { ReportData } from './report-data.ts';
import { seriesClass } from './series-style.ts';
import type { Scale } from './scale.ts';
import { escapeHtml } from './text.ts';

const ROW = 26;
const BAR = 14;

/** A bar per policy from 0 to 100 %, with its confidence interval as a whisker and its value beside it. */
export function shareBars(data: ReportData, load: number, metricId: string, axisLabel: string): string {
  const frame: Frame = {
    width: 480,
    height: data.policies.length * ROW + 62,
    left: 160,
    right: 62,
    top: 12,
    bottom: 44,
  };
  const [left, right] = acrossOf(frame);
  const position = (value: number): number => left + ((right - left) * Math.min(100, Math.max(0, value))) / 100;
  const x: Scale = { position, ticks: [0, 25, 50, 75, 100].map((value) => ({ value, label: String(value) })) };
  const top = upOf(frame)[1];
  const middle = (row: number): number => top + ROW * (row + 0.5) + 3;
  const y: Scale = { position: middle, ticks: data.policies.map((policy, value) => ({ value, label: policy })) };
  const bars = data.policies.map((policy, index) => {
    const runs = outcomesOf(data, load, policy).map(({ result }) => result);
    const interval = estimate(runs, metric(metricId));
    if (interval === null) return '';
    const { mean, halfWidth } = interval;
    const shown = `${mean.toFixed(1)}${halfWidth === null ? '' : ` ± ${halfWidth.toFixed(1)}`} %`;
    const line = at(middle(index));
    const whisker =
      halfWidth === null
        ? ''
        : `<path class="whisker" d="M${at(position(mean - halfWidth))} ${line}H${at(position(mean + halfWidth))}"/>`;
    return (
      `<g class="${seriesClass(index)}"><title>${escapeHtml(`${policy}: ${shown}`)}</title>` +
      `<rect class="bar" x="${left}" y="${at(middle(index) - BAR / 2)}" width="${at(position(mean) - left)}" height="${BAR}"/>` +
      `${whisker}<text class="value" x="${right + 6}" y="${line}" dy=".32em">${mean.toFixed(1)} %</text></g>`
    );
  });
  return drawing(
    frame,
    axisLabel,
    axes(frame, { scale: x, label: axisLabel }, { scale: y, label: null }) + bars.join(''),
  );
}
