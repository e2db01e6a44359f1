import { type Component, componentParts } from './tokenizer-file.ts';
import type { TokenAlphabet } from './token-text.ts';

/** What a tokenizer makes of a piece of text between added tokens, before it cuts it into tokens. */
export interface Normalizer {
  /** @param first Whether the piece starts the prompt. */
  apply(piece: string, first: boolean): string;
  /** Whether a text that it leaves as it is would be left so in pieces too. */
  readonly piecewise: boolean;
}

type Step = (piece: string, first: boolean) => string;

/** Pre-tokenizers that only cut the text. */
const CUTTERS = ['Split', 'Digits', 'Punctuation', 'UnicodeScripts', 'FixedLength'];
const COMBINING = /[^\0-\u02ff]/;
const FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'];

/** @throws Error that names the component whose effect on the text is not known. */
export function createNormalizer(
  normalizer: Component | null,
  preTokenizer: Component | null,
  alphabet: TokenAlphabet,
): Normalizer {
  const steps = [
    ...componentParts(normalizer, 'normalizers').map(normalizerStep),
    ...componentParts(preTokenizer, 'pretokenizers').map(preTokenizerStep),
  ].filter((step) => step !== null);
  if (alphabet.kind === 'text') steps.push((piece) => piece.replaceAll(alphabet.space, ' '));
  const piecewise = componentParts(normalizer, 'normalizers').every((part) => FORMS.includes(part.type));
  return {
    apply: (piece, first) => (piece === '' ? '' : steps.reduce((text, step) => step(text, first), piece)),
    piecewise: piecewise && alphabet.kind === 'byte-level' && steps.length <= 1,
  };
}

function normalizerStep(part: Component): Step {
  switch (part.type) {
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = part.type;
      // Composing changes nothing below U+0300, and looking is faster than doing.
      return (piece) => (form === 'NFC' && !COMBINING.test(piece) ? piece : piece.normalize(form));
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
