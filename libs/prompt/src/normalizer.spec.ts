import { describe, expect, it } from '@jest/globals';
import { createNormalizer } from './normalizer.ts';

const nfc = createNormalizer({ type: 'NFC' }, null, { kind: 'byte-level' });
const LAST_CODE_POINT = 0x10ffff;

/** Every character but surrogates. */
function* characters(): Generator<string> {
  for (let code = 0; code <= LAST_CODE_POINT; code++) {
    if (code < 0xd800 || code > 0xdfff) yield String.fromCodePoint(code);
  }
}

describe('NFC', () => {
  it('keeps no character that composing changes, that is a mark, or that joins with one before it', () => {
    const joining = new Set<string>();
    for (const character of characters()) {
      if (character.normalize('NFC') === character) {
        for (const part of [...character.normalize('NFD')].slice(1)) joining.add(part);
      }
    }
    const wrong: string[] = [];
    for (const character of characters()) {
      if (!nfc.keeps(character)) continue;
      if (character.normalize('NFC') !== character || /\p{M}/u.test(character) || joining.has(character))
        wrong.push(character.codePointAt(0)!.toString(16));
    }
    expect(wrong).toEqual([]);
  });

  it('keeps what most texts are made of', () => {
    for (const text of ['plain', 'čeština', 'Привет', 'Việt', '“…” — €', '漢字かなカナ、。', '한국어', '🎉😀🧠']) {
      expect(nfc.keeps(text)).toBe(true);
    }
    for (const text of ['e\u0301', '\u1161', '\u3099', '\u212b', '\ud83c', 'x\udc00', '\udc00\ud83c']) {
      expect(nfc.keeps(text)).toBe(false);
    }
  });
});

describe('keeps', () => {
  it('is never sure where more than composing is done', () => {
    const byteLevel = { kind: 'byte-level' } as const;
    expect(createNormalizer({ type: 'NFKC' }, null, byteLevel).keeps('a')).toBe(false);
    expect(createNormalizer({ type: 'Lowercase' }, null, byteLevel).keeps('a')).toBe(false);
    expect(createNormalizer(null, { type: 'ByteLevel', add_prefix_space: true }, byteLevel).keeps(' a')).toBe(false);
    expect(createNormalizer(null, null, { kind: 'text', space: '_', byteFallback: true }).keeps('a')).toBe(false);
    expect(createNormalizer(null, { type: 'ByteLevel', add_prefix_space: false }, byteLevel).keeps('e\u0301')).toBe(
      true,
    );
  });
});
