// Writes deploy/grafana/dashboards; tools/checks/dashboards.spec.ts fails when they are out of date.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format } from 'prettier';
import { dashboardModel, DASHBOARDS } from '../dashboards/index.ts';

const folder = join(import.meta.dirname, '../../deploy/grafana/dashboards');
await mkdir(folder, { recursive: true });
for (const dashboard of DASHBOARDS) {
  const text = await format(JSON.stringify(dashboardModel(dashboard)), { parser: 'json', printWidth: 120 });
  await writeFile(join(folder, `${dashboard.uid}.json`), text);
}
