/** Numbers for people. A value that is not known is a dash. */
const UNKNOWN = '–';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export const count = (value: number | null): string => (value === null ? UNKNOWN : whole.format(value));

/** Three digits and a unit of thousands: 12.3k, 4.56M. */
export function short(value: number | null): string {
  if (value === null) return UNKNOWN;
  const size = Math.abs(value);
  if (size < 10_000) return whole.format(value);
  for (const [unit, factor] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (size >= factor) return `${digits(value / factor)}${unit}`;
  }
  return whole.format(value);
}

/** Milliseconds below ten seconds, seconds below two minutes, then minutes. */
export function duration(ms: number | null): string {
  if (ms === null) return UNKNOWN;
  const size = Math.abs(ms);
  if (size < 10) return `${ms.toFixed(1)} ms`;
  if (size < 9999.5) return `${whole.format(ms)} ms`;
  if (size < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  return size < 7_200_000 ? `${whole.format(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}

/** A round number of milliseconds at an axis. */
export const axisDuration = (ms: number): string =>
  ms === 0 ? '0' : ms >= 1000 ? `${Number((ms / 1000).toPrecision(3))} s` : `${Number(ms.toPrecision(3))} ms`;

/** The same with a sign. */
export const difference = (ms: number | null): string =>
  ms === null ? UNKNOWN : `${ms < 0 ? '−' : '+'}${duration(Math.abs(ms))}`;

export const percent = (share: number | null): string =>
  share === null ? UNKNOWN : `${share > 0 && share < 0.01 ? '<1' : Math.round(share * 100)}%`;

export const rate = (perS: number | null): string =>
  perS === null ? UNKNOWN : perS >= 100 ? whole.format(perS) : perS.toFixed(1);

const KIB = 1024;
export function bytes(value: number | null): string {
  if (value === null) return UNKNOWN;
  if (value < KIB) return `${value} B`;
  const [size, unit] = value < KIB ** 2 ? [KIB, 'KiB'] : value < KIB ** 3 ? [KIB ** 2, 'MiB'] : [KIB ** 3, 'GiB'];
  return `${digits(value / size)} ${unit}`;
}

/** Time of day. */
export function clock(atMs: number, withMs = false): string {
  const at = new Date(atMs);
  const two = (part: number): string => String(part).padStart(2, '0');
  const text = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return withMs ? `${text}.${String(at.getMilliseconds()).padStart(3, '0')}` : text;
}

const digits = (value: number): string => {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
};
