/** Okabe and Ito's colours, which people with any colour vision tell apart, darkened or lightened for the background. */
const COLOURS = [
  { light: '#0067a5', dark: '#5cb8f0' },
  { light: '#c44a00', dark: '#ff8a4c' },
  { light: '#007a5a', dark: '#2fc79b' },
  { light: '#a8447f', dark: '#ea9dc6' },
  { light: '#8a6a00', dark: '#e8c23a' },
  { light: '#5b5b5b', dark: '#bdbdbd' },
] as const;

/** Series of one colour differ in their dashes, and neighbours differ in both. */
const DASHES = ['', '8 3', '3 3', '12 3 3 3', '6 2 2 2 2 2', '16 5'] as const;

/** Class of everything that belongs to the series with this number; a check box in the legend hides it. */
export const seriesClass = (index: number): string => `s${index}`;

/** `stroke-dasharray` of a series. */
export const dashOf = (index: number): string => DASHES[(index + Math.floor(index / COLOURS.length)) % DASHES.length]!;

/** CSS that gives every series its colour as `--c`, and takes it away when its check box is off. */
export function seriesCss(count: number): string {
  const rules = Array.from({ length: count }, (_, index) => {
    const { light, dark } = COLOURS[index % COLOURS.length]!;
    const name = seriesClass(index);
    return `.${name}{--c:light-dark(${light},${dark})}body:has(#show-${name}:not(:checked)) main .${name}{display:none}`;
  });
  return rules.join('\n');
}
