/** A number with three or more significant digits; a dash for one that is not known. */
export function decimal(value: number | null | undefined): string {
  if (value === null || value === undefined) return '-';
  const size = Math.abs(value);
  return fixed(value, size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** Whole, with commas between thousands. */
export const count = (value: number | null): string => (value === null ? '-' : fixed(value, 0));

/** With its sign. */
export const signed = (value: number | null): string =>
  value === null ? '-' : `${value < 0 ? '-' : '+'}${decimal(Math.abs(value))}`;

const fixed = (value: number, digits: number): string =>
  value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const percent = (share: number | null): string => (share === null ? '-' : `${Math.round(share * 100)} %`);

/** Milliseconds in the unit that people say: 12 ms, 3.4 s, 5 min. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
