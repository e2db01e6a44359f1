import type { Group } from '../state/workers.ts';

export interface MapLayout {
  readonly width: number;
  readonly height: number;
  readonly cell: number;
  readonly gap: number;
  readonly labels: readonly {
    readonly x: number;
    readonly y: number;
    readonly text: string;
    readonly detail: string;
  }[];
  readonly cells: readonly { readonly x: number; readonly y: number; readonly row: number }[];
}

const LABEL = 26;
const BETWEEN = 10;
const LARGEST = 26;
const SMALLEST = 9;
const TALLEST = 230;
const GAP = 2;

/** Cells as large as fit into a strip, group below group. */
export function layOut(groups: readonly Group[], width: number): MapLayout {
  let cell = LARGEST;
  while (cell > SMALLEST && heightOf(groups, width, cell) > TALLEST) cell--;
  const perLine = Math.max(1, Math.floor(width / cell));
  const labels: MapLayout['labels'][number][] = [];
  const cells: MapLayout['cells'][number][] = [];
  let top = 0;
  groups.forEach(({ pool, role, variant, rows }, i) => {
    if (i > 0) top += BETWEEN;
    const detail = `${role === 'both' ? 'prefill and decode' : role} · ${variant} · ${rows.length.toLocaleString('en')}`;
    labels.push({ x: 0, y: top + LABEL / 2 - 1, text: pool, detail });
    top += LABEL;
    rows.forEach((row, at) => {
      cells.push({ x: (at % perLine) * cell, y: top + Math.floor(at / perLine) * cell, row });
    });
    top += Math.ceil(rows.length / perLine) * cell;
  });
  return { width, height: top, cell, gap: GAP, labels, cells };
}

function heightOf(groups: readonly Group[], width: number, cell: number): number {
  const perLine = Math.max(1, Math.floor(width / cell));
  return groups.reduce((sum, { rows }) => sum + LABEL + BETWEEN + Math.ceil(rows.length / perLine) * cell, -BETWEEN);
}

/** Row of the worker whose cell is there, or null. */
export function cellAt({ cells, cell }: MapLayout, x: number, y: number): number | null {
  const found = cells.find((each) => x >= each.x && x < each.x + cell && y >= each.y && y < each.y + cell);
  return found?.row ?? null;
}
