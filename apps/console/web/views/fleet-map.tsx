import { useEffect, useRef, useState } from 'preact/hooks';
import { count, percent, short } from '../format.ts';
import { goTo } from '../state/route.ts';
import { live } from '../state/store.ts';
import { colour, theme } from '../state/theme.ts';
import { cachedTokensOf, conditionOf, loadOf } from '../state/workers.ts';
import type { Group } from '../state/workers.ts';
import { cellAt, layOut } from './map-layout.ts';
import type { MapLayout } from './map-layout.ts';

export type MapBy = 'load' | 'kvUsage' | 'cachedTokens' | 'waitingRequests';

const RAMP = 6;

/** Every worker as a cell of a canvas: its colour says how much, a mark that it is not well. */
export function FleetMap({ groups, by, selected }: { groups: readonly Group[]; by: MapBy; selected: string | null }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [hovered, setHovered] = useState<{ readonly row: number; readonly x: number; readonly y: number } | null>(null);
  useEffect(() => {
    const box = canvas.current!.parentElement!;
    const observer = new ResizeObserver(() => setWidth(box.clientWidth));
    observer.observe(box);
    setWidth(box.clientWidth);
    return () => observer.disconnect();
  }, []);
  const layout = layOut(groups, width);
  const most = mostOf(groups, by);
  useEffect(() => {
    if (width > 0) draw(canvas.current!, layout, by, most, selected);
  });
  const rowAt = (event: MouseEvent): number | null => cellAt(layout, event.offsetX, event.offsetY);
  return (
    <div class="map-box" data-theme-drawn={theme.value}>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${groups.reduce((sum, { rows }) => sum + rows.length, 0)} workers by ${by}; the table below says the same`}
        onMouseMove={(event) => {
          const row = rowAt(event);
          setHovered(row === null ? null : { row, x: event.offsetX, y: event.offsetY });
        }}
        onMouseLeave={() => setHovered(null)}
        onClick={(event) => {
          const row = rowAt(event);
          if (row !== null) goTo('fleet', live.workers.list[row]!.worker);
        }}
      />
      {hovered !== null && <Tip {...hovered} width={width} />}
      <Ramp by={by} most={most} />
    </div>
  );
}

function Tip({ row, x, y, width }: { row: number; x: number; y: number; width: number }) {
  const { workers } = live;
  const worker = workers.list[row];
  if (worker === undefined) return null;
  const isRight = x > width - 240;
  return (
    <div
      class="tip"
      style={{
        left: `${isRight ? x - 14 : x + 14}px`,
        top: `${y + 14}px`,
        transform: isRight ? 'translateX(-100%)' : 'none',
      }}
    >
      <strong>{worker.worker}</strong> {conditionOf(workers, row)}
      <br />
      Load {count(loadOf(workers, row))}, {count(workers.value('waitingRequests', row))} of it waiting
      <br />
      KV {percent(workers.value('kvUsage', row))}, {short(cachedTokensOf(workers, row))} tokens cached
    </div>
  );
}

const Ramp = ({ by, most }: { by: MapBy; most: number }) => (
  <div class="ramp" aria-hidden="true">
    <span>0</span>
    {Array.from({ length: RAMP }, (_, i) => (
      <i class={`ramp-${i}`} key={i} />
    ))}
    <span>{by === 'kvUsage' ? '100%' : short(most)}</span>
    <span class="ramp-bad">
      <i /> down or not seen
    </span>
  </div>
);

const amountOf = (by: MapBy, row: number): number =>
  by === 'load' ? loadOf(live.workers, row) : live.workers.value(by, row);

/** The end of the ramp: what is full for a share, else the largest of all, rounded up so that it does not flicker. */
function mostOf(groups: readonly Group[], by: MapBy): number {
  if (by === 'kvUsage') return 1;
  let most = 0;
  for (const { rows } of groups) for (const row of rows) most = Math.max(most, amountOf(by, row));
  if (most <= 10) return 10;
  const unit = 10 ** Math.floor(Math.log10(most));
  return Math.ceil((2 * most) / unit) * (unit / 2);
}

function draw(canvas: HTMLCanvasElement, layout: MapLayout, by: MapBy, most: number, selected: string | null): void {
  const scale = devicePixelRatio;
  const { width, height, cell, gap, labels, cells } = layout;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext('2d')!;
  context.scale(scale, scale);
  const ramp = Array.from({ length: RAMP }, (_, i) => colour(`ramp-${i}`));
  const [bad, warn, ink, soft] = ['bad', 'warn', 'ink', 'soft'].map(colour);
  context.font = `500 12px ${getComputedStyle(document.body).fontFamily}`;
  context.textBaseline = 'middle';
  for (const { x, y, text, detail } of labels) {
    context.fillStyle = ink!;
    context.fillText(text, x, y);
    context.fillStyle = soft!;
    context.fillText(detail, x + context.measureText(`${text}  `).width, y);
  }
  const size = cell - gap;
  for (const { x, y, row } of cells) {
    const condition = conditionOf(live.workers, row);
    const share = Math.min(1, amountOf(by, row) / most);
    const step = share === 0 ? 0 : Math.min(RAMP - 1, 1 + Math.floor(share * (RAMP - 1)));
    const isOut = condition === 'down' || condition === 'unknown';
    context.fillStyle = isOut ? bad! : ramp[step]!;
    context.beginPath();
    context.roundRect(x, y, size, size, Math.min(3, size / 4));
    context.fill();
    if (condition === 'late' || condition === 'differs') {
      context.fillStyle = warn!;
      context.fillRect(x, y + size - 3, size, 3);
    }
    if (live.workers.list[row]!.worker === selected) {
      context.strokeStyle = ink!;
      context.lineWidth = 2;
      context.stroke();
    }
  }
}
