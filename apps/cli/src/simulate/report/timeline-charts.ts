import type { PolicyId } from '@sluice/routing';
import type { EngineTimeline, TwinTimelines } from '@sluice/twin';
import { acrossOf, at, axes, drawing, upOf } from './axes.ts';
import type { Frame } from './axes.ts';
import { nothing } from './line-chart.ts';
import { bandPath, linePath } from './line-path.ts';
import type { Position } from './line-path.ts';
import { outcomesOf } from './report-data.ts';
import type { ReportData, ReportEngine } from './report-data.ts';
import { linearScale } from './scale.ts';
import { dashOf, seriesClass } from './series-style.ts';
import { compactNumber, duration, escapeHtml, percent } from './text.ts';

const FRAME: Frame = { width: 430, height: 210, left: 50, right: 14, top: 32, bottom: 42 };
/** More engines than this are drawn as a band from the least to the greatest. */
export const MOST_LINES = 16;

interface Reading {
  readonly title: string;
  readonly axis: string;
  readonly of: (engine: EngineTimeline) => readonly number[];
  readonly format: (value: number) => string;
  /** The axis goes at least as far. */
  readonly least: number;
  readonly leastStep: number;
}

const READINGS: readonly Reading[] = [
  {
    title: 'KV usage',
    axis: 'KV cache in use',
    of: (engine) => engine.kvUsage,
    format: percent,
    least: 1,
    leastStep: 0,
  },
  {
    title: 'running',
    axis: 'requests running',
    of: (engine) => engine.running,
    format: compactNumber,
    least: 2,
    leastStep: 1,
  },
  {
    title: 'waiting',
    axis: 'requests waiting',
    of: (engine) => engine.waiting,
    format: compactNumber,
    least: 2,
    leastStep: 1,
  },
];

/** Ends of the axes that the timelines of one load share, so that policies can be compared. */
export interface TimelineScales {
  readonly endMs: number;
  readonly most: readonly number[];
}

export function timelineScales(data: ReportData, load: number): TimelineScales {
  const all = data.policies.flatMap((policy) => timelinesOf(data, load, policy) ?? []);
  const most = READINGS.map(({ of, least }) =>
    all.reduce(
      (sofar, { engines }) => engines.reduce((top, engine) => of(engine).reduce((a, b) => Math.max(a, b), top), sofar),
      least,
    ),
  );
  return { endMs: Math.max(1000, ...all.map(({ timesMs }) => timesMs.at(-1) ?? 0)), most };
}

/** What every engine was doing over time under one policy, first seed: a chart per reading; null when it was not sampled. */
export function timelineCharts(
  data: ReportData,
  load: number,
  policy: PolicyId,
  { endMs, most }: TimelineScales,
): string[] | null {
  const timelines = timelinesOf(data, load, policy);
  if (timelines === null) return null;
  const index = data.policies.indexOf(policy);
  const inMinutes = endMs > 600_000;
  const unitMs = inMinutes ? 60_000 : 1000;
  const x = linearScale({ min: 0, max: endMs / unitMs, range: acrossOf(FRAME), format: compactNumber, exact: true });
  return READINGS.map(({ title, axis, of, format, leastStep }, reading) => {
    const y = linearScale({ min: 0, max: most[reading]!, range: upOf(FRAME), format, leastStep });
    const lines = timelines.engines.map((engine) =>
      of(engine).map((value, i): Position => [x.position(timelines.timesMs[i]! / unitMs), y.position(value)]),
    );
    const drawn =
      lines.length > MOST_LINES
        ? engineBand(lines)
        : lines
            .map((line, row) => engineLine(line, data.engines[row]!, row, of(timelines.engines[row]!), format))
            .join('');
    const mean = `<path class="line" d="${linePath(meanLine(lines))}"><title>mean of all engines</title></path>`;
    const label = `time, ${inMinutes ? 'minutes' : 'seconds'}`;
    const body = timelines.timesMs.length === 0 ? nothing(FRAME) : drawn + mean;
    const across = (ms: number): number => x.position(ms / unitMs);
    const plot = axes(FRAME, { scale: x, label }, { scale: y, label: axis }) + moments(data, across);
    return drawing(FRAME, `${policy}: ${title} of every engine`, `${plot}<g class="${seriesClass(index)}">${body}</g>`);
  });
}

/** Engines of another kind have other dashes. */
function engineLine(
  line: readonly Position[],
  { name, kind }: ReportEngine,
  row: number,
  values: readonly number[],
  format: (value: number) => string,
): string {
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  const dashes = dashOf(kind);
  return (
    `<path class="engine" d="${linePath(line)}"${dashes === '' ? '' : ` stroke-dasharray="${dashes}"`}>` +
    `<title>${escapeHtml(`engine ${row}, ${name}: at most ${format(most)}`)}</title></path>`
  );
}

function engineBand(lines: readonly (readonly Position[])[]): string {
  const edge = (pick: (...ys: number[]) => number): Position[] =>
    lines[0]!.map((position, i) => [position![0], pick(...lines.map((line) => line[i]![1]))]);
  return `<path class="band" d="${bandPath(edge(Math.max), edge(Math.min))}"><title>from the least to the greatest engine</title></path>`;
}

const meanLine = (lines: readonly (readonly Position[])[]): Position[] =>
  (lines[0] ?? []).map((position, i) => [
    position![0],
    lines.reduce((sum, line) => sum + line[i]![1], 0) / lines.length,
  ]);

/** The warm-up as a shade, and what happened to the fleet as upright lines. */
function moments({ warmUpMs, fleetChanges }: ReportData, across: (ms: number) => number): string {
  const [left, right] = acrossOf(FRAME);
  const [bottom, top] = upOf(FRAME);
  const edge = Math.min(right, across(warmUpMs));
  const shade =
    warmUpMs === 0
      ? ''
      : `<rect class="warm-up" x="${left}" y="${top}" width="${at(edge - left)}" height="${bottom - top}"><title>warm-up, not measured</title></rect>`;
  const lines = fleetChanges
    .filter(({ atMs }) => across(atMs) <= right)
    .map(({ atMs, kind, engine }) => {
      const x = at(across(atMs));
      const title = `engine ${engine} ${kind === 'kill' ? 'dies' : 'is back'} at ${duration(atMs)}`;
      return `<line class="${kind}" x1="${x}" x2="${x}" y1="${top}" y2="${bottom}"><title>${title}</title></line>`;
    });
  return shade + lines.join('');
}

const timelinesOf = (data: ReportData, load: number, policy: PolicyId): TwinTimelines | null =>
  outcomesOf(data, load, policy).find(({ details }) => details !== null && details.timelines !== null)?.details
    ?.timelines ?? null;
