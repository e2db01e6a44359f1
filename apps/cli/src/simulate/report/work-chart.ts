import type { PolicyId } from '@sluice/routing';
import { acrossOf, at, axes, drawing, upOf } from './axes.ts';
import type { Frame } from './axes.ts';
import { outcomesOf } from './report-data.ts';
import type { ReportData } from './report-data.ts';
import { linearScale } from './scale.ts';
import type { Scale } from './scale.ts';
import { seriesClass } from './series-style.ts';
import { escapeHtml } from './text.ts';

const FRAME: Frame = { width: 320, height: 196, left: 36, right: 10, top: 32, bottom: 42 };

/** The greatest share that any engine had under any policy: all charts of a load have the same scale. */
export const mostWork = (data: ReportData, load: number): number =>
  Math.max(1, ...data.policies.flatMap((policy) => worksOf(data, load, policy).flat()));

/** A bar per engine: its prompt tokens over the mean of all, averaged over the seeds; dots are the seeds. */
export function workChart(data: ReportData, load: number, policy: PolicyId, most: number): string {
  const index = data.policies.indexOf(policy);
  const works = worksOf(data, load, policy);
  const { engines } = data;
  const [left, right] = acrossOf(FRAME);
  const pitch = (right - left) / engines.length;
  const y = linearScale({ min: 0, max: most, range: upOf(FRAME), format: String });
  const stride = Math.ceil(engines.length / 10);
  const x: Scale = {
    position: (row) => left + pitch * (row + 0.5),
    ticks: engines.flatMap((_, row) => (row % stride === 0 ? [{ value: row, label: String(row) }] : [])),
  };
  const bottom = y.position(0);
  const bars = engines.map(({ name }, row) => {
    const values = works.map((work) => work[row]!);
    const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
    const top = y.position(mean);
    const dots =
      values.length < 2 || pitch < 8
        ? ''
        : values.map((value) => `<circle cx="${at(x.position(row))}" cy="${at(y.position(value))}" r="1.8"/>`).join('');
    return (
      `<g><title>${escapeHtml(`engine ${row}, ${name}: ${mean.toFixed(2)} times the mean`)}</title>` +
      `<rect class="bar" x="${at(left + pitch * (row + 0.14))}" y="${at(top)}" width="${at(pitch * 0.72)}" height="${at(bottom - top)}"/>${dots}</g>`
    );
  });
  const even = at(y.position(1));
  const body =
    axes(FRAME, { scale: x, label: 'engine' }, { scale: y, label: 'prompt tokens, 1 = mean of all engines' }) +
    `<g class="${seriesClass(index)}">${bars.join('')}</g><line class="even" x1="${left}" x2="${right}" y1="${even}" y2="${even}"/>`;
  return drawing(FRAME, `${policy}: prompt tokens per engine`, body);
}

const worksOf = (data: ReportData, load: number, policy: PolicyId): (readonly number[])[] =>
  outcomesOf(data, load, policy).flatMap(({ details }) => (details === null ? [] : [details.work]));
