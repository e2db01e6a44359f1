import { fileURLToPath } from 'node:url';

/** Path of an excerpt of a public trace; `testdata/README.md` has the sources. */
export const sampleTrace = (name: 'mooncake.jsonl' | 'azure.csv' | 'tokens.jsonl'): string =>
  fileURLToPath(new URL(`../testdata/${name}`, import.meta.url));
