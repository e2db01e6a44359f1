import { ReferenceIndex } from './reference.ts';
import type { PrefixIndex, PrefixIndexOptions } from './types.ts';

/** An empty index. */
export function createPrefixIndex(_options: PrefixIndexOptions = {}): PrefixIndex {
  return new ReferenceIndex();
}
