export { byteOrderMarkLength, JsonCursor } from './json-cursor.ts';
export { loadPromptKit } from './prompt-kit.ts';
export type { PromptKit, Rendered } from './prompt-kit.ts';
export type { Vocabulary } from './vocabulary.ts';
