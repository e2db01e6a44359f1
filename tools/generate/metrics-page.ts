// Writes docs/metrics.md; tools/checks/metrics-page.spec.ts fails when it is out of date.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { metricsPage, registeredMetrics } from '../checks/metrics-page.ts';

await writeFile(join(import.meta.dirname, '../../docs/metrics.md'), metricsPage(await registeredMetrics()));
