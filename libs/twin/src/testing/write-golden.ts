import { writeFileSync } from 'node:fs';
import { goldenResults } from './golden.ts';

// Writes testdata/golden.json anew, see README.md.
writeFileSync(new URL('../../testdata/golden.json', import.meta.url), `${JSON.stringify(goldenResults(), null, 2)}\n`);
