import type { Terminal } from './progress.ts';

/** Where a command speaks. */
export interface Speaker {
  readonly out: { readonly columns?: number; write(text: string): unknown };
  readonly err: Terminal;
  /** Whether `out` shows colours. */
  readonly colour: boolean;
}

/** Where nothing is known of the terminal, and the most that lines of text should have. */
const WIDTH = { default: 80, most: 120 };

/** Characters of a line of output. */
export const widthOf = ({ out }: Speaker): number => Math.min(out.columns || WIDTH.default, WIDTH.most);

export interface Styles {
  bold(text: string): string;
  faint(text: string): string;
  bad(text: string): string;
}

const plain = (text: string): string => text;
const escape =
  (code: number) =>
  (text: string): string =>
    `\x1b[${code}m${text}\x1b[0m`;

export const stylesOf = ({ colour }: Speaker): Styles =>
  colour ? { bold: escape(1), faint: escape(2), bad: escape(31) } : { bold: plain, faint: plain, bad: plain };
