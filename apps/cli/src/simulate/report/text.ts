const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as it may stand between tags and in quoted attributes of HTML and SVG. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);

const MINUS = '−';

/** A number for people: three significant digits, thousands as `12k`, `1.2M`; `–` for what is no finite number. */
export function compactNumber(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  const sign = value < 0 ? MINUS : '';
  if (size >= 999_500) return `${sign}${significant(size / 1e6)}M`;
  if (size >= 9_995) return `${sign}${significant(size / 1e3)}k`;
  return `${sign}${significant(size)}`;
}

/** Milliseconds as the unit that fits: `8 ms`, `1.5 s`, `20 min`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return '–';
  if (Math.abs(ms) < 999.5) return `${significant(ms)} ms`;
  if (Math.abs(ms) < 599_500) return `${significant(ms / 1000)} s`;
  return `${significant(ms / 60_000)} min`;
}

/** A share as per cent. */
export const percent = (share: number): string => (Number.isFinite(share) ? `${significant(100 * share)} %` : '–');

/** At most three significant digits, without trailing zeros; whole numbers stay whole. */
const significant = (value: number): string =>
  Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
