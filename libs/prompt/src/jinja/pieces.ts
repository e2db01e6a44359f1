/** From here on a text is worth a piece of its own. */
const LONG_CHARS = 512;

/**
 * Text that is written bit by bit. Long texts stay pieces of their own: joining the messages of a long conversation would
 * copy all of it once more.
 */
export class Pieces {
  private readonly list: string[] = [];
  private last = '';

  write(text: string): void {
    if (text.length < LONG_CHARS) {
      this.last += text;
      return;
    }
    if (this.last !== '') this.list.push(this.last);
    this.list.push(text);
    this.last = '';
  }

  /** What was written, in order. */
  all(): readonly string[] {
    return this.last === '' ? this.list : [...this.list, this.last];
  }

  text(): string {
    return this.list.length === 0 ? this.last : this.list.join('') + this.last;
  }
}
