import type { Vocabulary } from '@sluice/prompt';

/** What one more token adds to the text of an answer. */
export interface TextDelta {
  /** Text to send now; empty while a character or a possible stop string is incomplete. */
  readonly text: string;
  /** The stop string that has been reached, or null. */
  readonly stop: string | null;
}

/**
 * Turns output tokens into text, token by token: incomplete UTF-8 waits for its rest; with stop strings, as many
 * characters are held back as could belong to one, and the text ends before it (vLLM's incremental detokenizer).
 */
export class OutputText {
  private readonly vocabulary: Vocabulary;
  private readonly stops: readonly string[];
  /** Output tokens before which no stop string counts. */
  private readonly minTokens: number;
  private readonly holdBack: number;
  private readonly decoder = new TextDecoder();
  private tokens = 0;
  private text = '';
  private sent = 0;

  constructor(vocabulary: Vocabulary, stops: readonly string[], minTokens: number) {
    this.vocabulary = vocabulary;
    this.stops = stops;
    this.minTokens = minTokens;
    this.holdBack = stops.reduce((longest, stop) => Math.max(longest, stop.length), 1) - 1;
  }

  /** Adds a token. `hidden`: it counts but has no text (the end token). `last`: nothing comes after it. */
  push(token: number, hidden: boolean, last: boolean): TextDelta {
    this.tokens++;
    const before = this.text.length;
    if (!hidden) this.text += this.decoder.decode(this.vocabulary.tokenBytes(token), { stream: true });
    if (last) this.text += this.decoder.decode();
    if (this.tokens > this.minTokens) {
      for (const stop of this.stops) {
        const at = this.text.indexOf(stop, Math.max(0, before - stop.length + 1));
        if (at < 0) continue;
        const text = this.text.slice(this.sent, at);
        this.sent = this.text.length;
        return { text, stop };
      }
    }
    const end = last ? this.text.length : Math.max(this.sent, this.text.length - this.holdBack);
    const text = this.text.slice(this.sent, end);
    this.sent = end;
    return { text, stop: null };
  }
}
