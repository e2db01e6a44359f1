// Writes docs/configuration.md; tools/checks/configuration-page.spec.ts fails when it is out of date.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configurationPage } from '../checks/configuration-page.ts';

await writeFile(join(import.meta.dirname, '../../docs/configuration.md'), configurationPage());
