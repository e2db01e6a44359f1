import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { createTextRewriter, type TextRewriter } from './text-rewriter.ts';
import { type AddedToken, type Component, readTokenizerFile } from './tokenizer-file.ts';

interface Parts {
  normalizer?: Component;
  pre_tokenizer?: Component;
  added_tokens?: Partial<AddedToken>[];
  post_processor?: Component;
}

function rewriterOf(parts: Parts, bos: string | null): TextRewriter {
  const added = (parts.added_tokens ?? []).map((token, id) => ({ id, ...token }));
  const json = { ...parts, added_tokens: added, model: { type: 'BPE', vocab: {} } };
  return createTextRewriter(readTokenizerFile(Buffer.from(JSON.stringify(json)), bos));
}

function rewriting(parts: Parts, bos: string | null = null): (text: string) => string {
  const rewriter = rewriterOf(parts, bos);
  return (text) => Buffer.from(rewriter.toBytes([text])!).toString();
}

const BYTE_LEVEL: Component = { type: 'ByteLevel', add_prefix_space: false };

describe('text rewriter', () => {
  it('composes text, but not across added tokens', () => {
    const rewrite = rewriting({
      normalizer: { type: 'NFC' },
      pre_tokenizer: BYTE_LEVEL,
      added_tokens: [{ content: '<think>' }],
    });
    expect(rewrite('e\u0301 plain')).toBe('é plain');
    // '>' and U+0338 compose to '≯' in text, but not when '>' belongs to a token
    expect(rewrite('a>\u0338 <think>\u0338')).toBe('a\u226f <think>\u0338');
  });

  it('takes the longest of the added tokens that start at one place', () => {
    const rewrite = rewriting(
      { pre_tokenizer: BYTE_LEVEL, added_tokens: [{ content: '<s>' }, { content: '<s>>' }] },
      '<s>',
    );
    expect(rewrite('<s>a<s>>b<s>')).toBe('a<s>>b');
  });

  it('lets added tokens take white space along, and only whole words where they ask for it', () => {
    const rewrite = rewriting({
      pre_tokenizer: BYTE_LEVEL,
      added_tokens: [
        { content: '<l>', lstrip: true },
        { content: '<r>', rstrip: true },
        { content: 'word', single_word: true, lstrip: true },
      ],
    });
    expect(rewrite('a \n<l> b <r> \t c')).toBe('a<l> b <r>c');
    expect(rewrite('sword  word')).toBe('swordword');
  });

  it('puts spaces in front as Metaspace and ByteLevel do', () => {
    const metaspace = (prepend_scheme: string) =>
      rewriting({
        pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', prepend_scheme },
        added_tokens: [{ content: '<x>' }],
      });
    expect(metaspace('always')('a b<x>c')).toBe(' a b<x> c');
    expect(metaspace('first')('a<x>c')).toBe(' a<x>c');
    expect(metaspace('first')(' a')).toBe(' a');
    expect(metaspace('never')('a<x>c')).toBe('a<x>c');
    const prefixed = rewriting({ pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true } });
    expect([prefixed('a'), prefixed(' a'), prefixed('')]).toEqual([' a', ' a', '']);
  });

  it('applies the other normalisers in their order', () => {
    const rewrite = rewriting({
      normalizer: {
        type: 'Sequence',
        normalizers: [
          { type: 'Strip', strip_left: true, strip_right: true },
          { type: 'NFD' },
          { type: 'StripAccents' },
          { type: 'Lowercase' },
          { type: 'Replace', pattern: { Regex: '\\d+' }, content: '$&' },
        ],
      },
      pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits' }, BYTE_LEVEL] },
    });
    expect(rewrite('  Crème 42  ')).toBe('creme $&');
  });

  it.each([
    [{ normalizer: { type: 'BertNormalizer' } }, /normalizer BertNormalizer/],
    [{ pre_tokenizer: { type: 'Whitespace' } }, /pre-tokenizer Whitespace/],
    [{ pre_tokenizer: { type: 'Split', pattern: {}, behavior: 'Removed' } }, /pre-tokenizer Split/],
  ])('refuses %j', (parts, message) => {
    expect(() => rewriting(parts)).toThrow(message);
  });

  it('has no bytes for a lone surrogate', () => {
    const file = readTokenizerFile(Buffer.from('{"model":{"vocab":{}}}'), null);
    expect(createTextRewriter(file).toBytes(['a\udc00'])).toBeNull();
  });

  it('puts a space in front of every piece between added tokens, also where the text has one in front', () => {
    const rewrite = rewriting({
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true },
      added_tokens: [{ content: '<x>' }],
    });
    expect(rewrite(' a<x>b')).toBe(' a<x> b');
  });

  it.each([
    ['no BOS', null, []],
    ['a BOS', '<s>', []],
    ['a token that starts like the BOS', '<s>', [{ content: '<s>>' }]],
    ['a BOS that is no token', '</s', []],
  ])('gives the same bytes for a text and for its pieces, with %s', (_name, bos, more) => {
    const unit = fc.constantFrom(
      '<s>',
      '<s',
      '>',
      '</s',
      'a',
      'e',
      '\u0301',
      'é',
      '漢',
      '😀',
      '\ud83d',
      '\ude00',
      '<x>',
      ' ',
    );
    const parts = (normalizer?: Component): Parts => ({
      ...(normalizer !== undefined && { normalizer }),
      pre_tokenizer: BYTE_LEVEL,
      added_tokens: [{ content: '<s>' }, { content: '<x>' }, ...more],
    });
    const rewriters = [parts(), parts({ type: 'NFC' })].map((each) => rewriterOf(each, bos));
    fc.assert(
      fc.property(
        fc.array(
          fc.array(unit, { maxLength: 4 }).map((units) => units.join('')),
          { maxLength: 6 },
        ),
        (pieces) => {
          const text = pieces.join('');
          const expected = [false, true].map((composes) => bytesOf(text, bos, more.length > 0, composes));
          expect(rewriters.map((rewriter) => rewriter.toBytes(pieces))).toEqual(expected);
          expect(rewriters.map((rewriter) => rewriter.toBytes([text]))).toEqual(expected);
        },
      ),
      { seed: 21, numRuns: 1000 },
    );
  });
});

/** Cut by tokens, composed in between, without the BOS where it is a token. */
function bytesOf(text: string, bos: string | null, hasLonger: boolean, composes: boolean): Uint8Array | null {
  if (!text.isWellFormed()) return null;
  const parts = text.split(hasLonger ? /(<s>>|<s>|<x>)/ : /(<s>|<x>)/);
  const kept = parts.map((part, i) => {
    if (i % 2 === 0) return composes ? part.normalize('NFC') : part;
    return part === bos ? '' : part;
  });
  return new TextEncoder().encode(kept.join(''));
}
