/** A column of text: words to the left, numbers to the right. */
export interface TextColumn {
  readonly head: string;
  readonly cells: readonly string[];
  readonly align: 'left' | 'right';
}

const GAP = '  ';

/**
 * Lines of a table in `width` characters. Columns that do not fit beside the first ones follow in further tables below,
 * each with the first column again; cells are never cut.
 */
export function textTable(columns: readonly TextColumn[], width: number): string[] {
  const [first, ...rest] = columns;
  if (first === undefined) return [];
  const blocks: TextColumn[][] = [[first]];
  let used = widthOf(first);
  for (const column of rest) {
    const needed = GAP.length + widthOf(column);
    if (used + needed > width && blocks.at(-1)!.length > 1) {
      blocks.push([first]);
      used = widthOf(first);
    }
    blocks.at(-1)!.push(column);
    used += needed;
  }
  return blocks.flatMap((block, i) => (i === 0 ? linesOf(block) : ['', ...linesOf(block)]));
}

const widthOf = ({ head, cells }: TextColumn): number =>
  cells.reduce((most, cell) => Math.max(most, cell.length), head.length);

function linesOf(columns: readonly TextColumn[]): string[] {
  const widths = columns.map(widthOf);
  const line = (textOf: (column: TextColumn) => string): string =>
    columns
      .map((column, i) =>
        column.align === 'left' ? textOf(column).padEnd(widths[i]!) : textOf(column).padStart(widths[i]!),
      )
      .join(GAP)
      .trimEnd();
  return [line(({ head }) => head), ...columns[0]!.cells.map((_, row) => line(({ cells }) => cells[row]!))];
}

/** `text` broken at blanks into lines of at most `width`, further ones indented; a longer word stands alone. */
export function wrapped(text: string, width: number, indent: number): string[] {
  const lines: string[] = [];
  const [first, ...rest] = text.split(' ');
  let line = first!;
  for (const word of rest) {
    if (line.length + 1 + word.length <= width) line += ` ${word}`;
    else {
      lines.push(line);
      line = `${' '.repeat(indent)}${word}`;
    }
  }
  return [...lines, line];
}
