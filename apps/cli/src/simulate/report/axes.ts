import type { Range, Scale } from './scale.ts';
import { escapeHtml } from './text.ts';

/** Room of a drawing and of the plot inside it, in units of the drawing. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export interface Axis {
  readonly scale: Scale;
  /** What is measured, with its unit; none under charts that stand in a row with one that says it. */
  readonly label: string | null;
}

/** From left to right. */
export const acrossOf = ({ left, width, right }: Frame): Range => [left, width - right];

/** From the bottom upwards. */
export const upOf = ({ top, height, bottom }: Frame): Range => [height - bottom, top];

/** A position in the drawing, to a tenth of a unit. */
export const at = (position: number): string => String(Math.round(position * 10) / 10);

/** Grid, ticks and labels of a plot. */
export function axes(frame: Frame, x: Axis, y: Axis): string {
  const [left, right] = acrossOf(frame);
  const [bottom, top] = upOf(frame);
  const parts: string[] = [];
  for (const { value, label } of y.scale.ticks) {
    const position = at(y.scale.position(value));
    parts.push(`<line class="grid" x1="${left}" x2="${right}" y1="${position}" y2="${position}"/>`);
    parts.push(
      `<text class="tick" text-anchor="end" x="${left - 6}" y="${position}" dy=".32em">${escapeHtml(label)}</text>`,
    );
  }
  for (const { value, label } of x.scale.ticks) {
    const position = at(x.scale.position(value));
    parts.push(`<line class="grid" x1="${position}" x2="${position}" y1="${top}" y2="${bottom}"/>`);
    parts.push(
      `<text class="tick" text-anchor="middle" x="${position}" y="${bottom + 15}">${escapeHtml(label)}</text>`,
    );
  }
  parts.push(`<path class="frame" d="M${left} ${top}V${bottom}H${right}"/>`);
  if (x.label !== null) {
    const middle = at((left + right) / 2);
    parts.push(
      `<text class="axis" text-anchor="middle" x="${middle}" y="${bottom + 33}">${escapeHtml(x.label)}</text>`,
    );
  }
  // Above the axis and level: nobody reads with the head turned.
  if (y.label !== null) parts.push(`<text class="axis" x="2" y="${top - 14}">${escapeHtml(y.label)}</text>`);
  return parts.join('');
}

/** A drawing that is as wide as its place on the page. `title` is what people hear who do not see it. */
export const drawing = ({ width, height }: Frame, title: string, body: string): string =>
  `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}">${body}</svg>`;
