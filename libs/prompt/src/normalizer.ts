import { type Component, componentParts } from './tokenizer-file.ts';
import type { TokenAlphabet } from './token-text.ts';

/** What a tokenizer makes of a piece of text between added tokens, before it cuts it into tokens. */
export interface Normalizer {
  /** @param first Whether the piece starts the prompt. */
  apply(piece: string, first: boolean): string;
  /** Whether the piece is Unicode text that stays as it is, whatever stands before and behind it; false when not sure. */
  keeps(piece: string): boolean;
  /** Whether a text that it leaves as it is would be left so in pieces too. */
  readonly piecewise: boolean;
}

type Step = (piece: string, first: boolean) => string;

/** Pre-tokenizers that only cut the text. */
const CUTTERS = ['Split', 'Digits', 'Punctuation', 'UnicodeScripts', 'FixedLength'];
/**
 * Characters that NFC may change, or join with the one before: all but ranges of assigned characters of which that is
 * known. Latin, Cyrillic, punctuation and symbols, CJK, kana, Hangul syllables, full-width forms, emoji (as surrogates).
 */
const COMPOSING =
  /[^\0-\u02ff\u0400-\u0482\u1e00-\u1eff\u2002-\u20c0\u212c-\u2328\u232b-\u2adb\u3000-\u3029\u3041-\u3096\u309b-\u9fff\uac00-\ud7a3\uff00-\uffef\ud83c-\ud83e\udc00-\udfff]/;
const FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'];

/** @throws Error that names the component whose effect on the text is not known. */
export function createNormalizer(
  normalizer: Component | null,
  preTokenizer: Component | null,
  alphabet: TokenAlphabet,
): Normalizer {
  const normalizers = componentParts(normalizer, 'normalizers');
  const steps = normalizers.map(normalizerStep);
  for (const [i, part] of componentParts(preTokenizer, 'pretokenizers').entries()) {
    const step = preTokenizerStep(part, i);
    if (step !== null) steps.push(step);
  }
  if (alphabet.kind === 'text') steps.push((piece) => piece.replaceAll(alphabet.space, ' '));
  const onlyForms = steps.length === normalizers.length && normalizers.every(({ type }) => FORMS.includes(type));
  const onlyComposes = onlyForms && normalizers.every(({ type }) => type === 'NFC');
  return {
    apply: (piece, first) => (piece === '' ? '' : steps.reduce((text, step) => step(text, first), piece)),
    keeps: (piece) => onlyComposes && (steps.length === 0 || !COMPOSING.test(piece)) && piece.isWellFormed(),
    piecewise: onlyForms && steps.length <= 1,
  };
}

function normalizerStep(part: Component): Step {
  switch (part.type) {
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = part.type;
      // Looking is faster than doing.
      return (piece) => (form === 'NFC' && !COMPOSING.test(piece) ? piece : piece.normalize(form));
    }
    case 'Lowercase':
      return (piece) => piece.toLowerCase();
    case 'StripAccents':
      return (piece) => piece.replace(/\p{Mn}/gu, '');
    case 'Strip': {
      const { strip_left: left, strip_right: right } = part;
      return (piece) => (left ? (right ? piece.trim() : piece.trimStart()) : right ? piece.trimEnd() : piece);
    }
    case 'Prepend':
      return (piece) => String(part['prepend']) + piece;
    case 'Replace': {
      const pattern = part['pattern'] as { String?: string; Regex?: string };
      const content = String(part['content']);
      const matcher = pattern.String ?? new RegExp(pattern.Regex ?? '', 'gu');
      return (piece) => piece.replaceAll(matcher, () => content);
    }
    default:
      throw new Error(`the tokenizer's normalizer ${part.type} is not supported`);
  }
}

/** The step's effect on the text; null for none. */
function preTokenizerStep(part: Component, position: number): Step | null {
  if (part.type === 'Metaspace') {
    const scheme = part['prepend_scheme'] ?? (part['add_prefix_space'] === false ? 'never' : 'always');
    const space = String(part['replacement']);
    return (piece, first) => {
      const text = piece.replaceAll(' ', space);
      return scheme === 'never' || (scheme === 'first' && !first) || text.startsWith(space) ? text : space + text;
    };
  }
  if (part.type === 'ByteLevel' && (part['add_prefix_space'] !== true || position === 0)) {
    return part['add_prefix_space'] === true ? (piece) => (piece.startsWith(' ') ? piece : ` ${piece}`) : null;
  }
  if (CUTTERS.includes(part.type) && part['behavior'] !== 'Removed') return null;
  throw new Error(`the tokenizer's pre-tokenizer ${part.type} is not supported`);
}
