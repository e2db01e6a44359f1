import { describe, expect, it } from '@jest/globals';
import { OutputText } from './output-text.ts';

/** A vocabulary in which token i is the i-th string given (or bytes). */
const vocabularyOf = (...tokens: (string | number[])[]): ConstructorParameters<typeof OutputText>[0] => ({
  size: tokens.length,
  tokenBytes: (id) => {
    const token = tokens[id]!;
    return typeof token === 'string' ? new TextEncoder().encode(token) : Uint8Array.from(token);
  },
  spanLength: () => 0,
  copySpan: () => 0,
});

const texts = (out: OutputText, tokens: number, lastHidden = false): (string | null)[] =>
  Array.from({ length: tokens }, (_, i) => {
    const last = i === tokens - 1;
    const { text, stop } = out.push(i, last && lastHidden, last);
    return stop === null ? text : `${text}|${stop}`;
  });

describe('OutputText', () => {
  it('waits for the rest of a character', () => {
    expect(texts(new OutputText(vocabularyOf('a', [0xe6, 0xbc], [0xa2], 'b'), [], 0), 4)).toEqual(['a', '', '漢', 'b']);
  });

  it('shows an incomplete character at the end as a replacement', () => {
    expect(texts(new OutputText(vocabularyOf('a', [0xe6, 0xbc]), [], 0), 2)).toEqual(['a', '\ufffd']);
  });

  it('holds back what may become a stop string, and gives it when it did not', () => {
    const out = new OutputText(vocabularyOf('one', ' tw', 'ice', ' three'), [' two'], 0);
    expect(texts(out, 4)).toEqual(['', 'one', ' tw', 'ice three']);
  });

  it('ends before a stop string that spans tokens', () => {
    const out = new OutputText(vocabularyOf('one', ' tw', 'o three'), [' two'], 0);
    expect(texts(out, 3)).toEqual(['', 'one', '| two']);
  });

  it('ignores stop strings before the least number of tokens', () => {
    const out = new OutputText(vocabularyOf('a', '.', 'b', '.'), ['.'], 2);
    expect(texts(out, 4)).toEqual(['a', '.', 'b', '|.']);
  });

  it('shows nothing of the end token', () => {
    expect(texts(new OutputText(vocabularyOf('a', '<|im_end|>'), [], 0), 2, true)).toEqual(['a', '']);
  });
});
