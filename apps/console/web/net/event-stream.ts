/** Takes the text of server-sent events in pieces, however they are cut, and yields the data of each whole event. */
export class EventStreamParser {
  #rest = '';

  /** Data of the events that this piece completed. Comments and fields other than data are left out. */
  push(piece: string): string[] {
    const text = this.#rest + piece;
    const blocks = text.split(/\r?\n\r?\n/);
    this.#rest = blocks.pop()!;
    return blocks.map(dataOf).filter((data) => data !== '');
  }
}

const dataOf = (block: string): string =>
  block
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(line[5] === ' ' ? 6 : 5))
    .join('\n');
