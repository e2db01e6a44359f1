import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { clock } from '../format.ts';
import { colour, theme } from '../state/theme.ts';

export interface Curve {
  readonly label: string;
  /** Name of its colour in the style sheet. */
  readonly tone: string;
  readonly values: readonly (number | null)[];
  readonly fill?: boolean;
}

interface PlotProps {
  readonly title: string;
  readonly timesMs: readonly number[];
  readonly curves: readonly Curve[];
  readonly textOf: (value: number) => string;
  /** Of an axis; default as the values. */
  readonly tickOf?: (value: number) => string;
  readonly height: number;
}

/** Curves over time. Drawn again when there is a later point, not on every tick of the page: other curves need another key. */
export function Plot({ title, timesMs, curves, textOf, tickOf = textOf, height }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data: uPlot.AlignedData = [timesMs.map((ms) => ms / 1000), ...curves.map(({ values }) => [...values])];
  const labels = curves.map(({ label }) => label).join();
  const dark = theme.value;
  useEffect(() => {
    const element = box.current!;
    const made = new uPlot(optionsOf(curves, textOf, tickOf, element.clientWidth, height), data, element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [labels, dark, height]);
  const lastMs = timesMs.at(-1) ?? 0;
  useEffect(() => plot.current?.setData(data), [lastMs, timesMs.length]);
  return (
    <div class="plot" role="img" aria-label={title}>
      <div ref={box} style={{ minHeight: `${height}px` }} />
    </div>
  );
}

/** Points without a neighbour, of which no line would tell. */
const alone = (plot: uPlot, series: number): number[] => {
  const values = plot.data[series]!;
  const there = (at: number): boolean => (values[at] ?? null) !== null;
  return [...values.keys()].filter((at) => there(at) && !there(at - 1) && !there(at + 1));
};

function optionsOf(
  curves: readonly Curve[],
  textOf: PlotProps['textOf'],
  tickOf: PlotProps['textOf'],
  width: number,
  height: number,
): uPlot.Options {
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const [soft, rule] = [colour('soft'), colour('rule')];
  const axis = { stroke: soft, font, grid: { stroke: rule, width: 1 }, ticks: { show: false } };
  return {
    width,
    height,
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    legend: { live: true },
    padding: [10, 28, 0, 0],
    scales: { y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 26,
        space: 80,
        values: (_plot, ticks, _axis, _space, stepS) => ticks.map((s) => clock(s * 1000).slice(0, stepS < 60 ? 8 : 5)),
      },
      { ...axis, size: 62, space: 30, values: (_plot, ticks) => ticks.map(tickOf) },
    ],
    series: [
      { label: 'at', value: (_plot, s) => (s === null ? '–' : clock(s * 1000)) },
      ...curves.map(({ label, tone, fill }): uPlot.Series => {
        const stroke = colour(tone);
        return {
          label,
          stroke,
          width: 1.8,
          points: { show: true, size: 5, fill: stroke, filter: alone },
          spanGaps: false,
          value: (_plot, value) => (value === null ? '–' : textOf(value)),
          ...(fill === true && { fill: `${stroke}22` }),
        };
      }),
    ],
  };
}
