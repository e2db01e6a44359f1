// Transpiles every project's src to dist with swc. Incremental: a file is written again only when its source is newer.
// Type checking is a separate step (`npm run typecheck`); this one has to be fast, because `npm start` runs it.
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformFile } from '@swc/core';
import { buildPage } from '../../apps/console/web/build.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const isTest = (file) => /\.(spec|bench)\.ts$/.test(file);

/** Projects are the folders of apps/ and libs/ that hold a src. */
async function projects() {
  const found = [];
  for (const kind of ['libs', 'apps']) {
    for (const name of await readdir(join(root, kind))) {
      const dir = join(root, kind, name);
      if (await exists(join(dir, 'src'))) found.push(dir);
    }
  }
  return found;
}

const exists = (path) =>
  stat(path).then(
    () => true,
    () => false,
  );

const mtimeMs = (path) =>
  stat(path).then(
    (s) => s.mtimeMs,
    () => 0,
  );

async function buildProject(dir, newest) {
  const src = join(dir, 'src');
  const dist = join(dir, 'dist');
  const sources = (await readdir(src, { recursive: true })).filter((f) => f.endsWith('.ts') && !isTest(f));
  let written = 0;
  for (const file of sources) {
    const from = join(src, file);
    const to = join(dist, file.replace(/\.ts$/, '.js'));
    if ((await mtimeMs(to)) > Math.max(await mtimeMs(from), newest)) continue;
    const { code, map } = await transformFile(from, { root, cwd: root, sourceFileName: relative(dirname(to), from) });
    await mkdir(dirname(to), { recursive: true });
    await writeFile(to, `${code}\n//# sourceMappingURL=${to.split('/').pop()}.map\n`);
    if (map) await writeFile(`${to}.map`, map);
    written++;
  }
  await removeStale(dist, new Set(sources.map((f) => f.replace(/\.ts$/, '.js'))));
  return written;
}

/** A source that was deleted or renamed must not live on in dist. */
async function removeStale(dist, wanted) {
  if (!(await exists(dist))) return;
  for (const file of await readdir(dist, { recursive: true })) {
    const js = file.replace(/\.map$/, '');
    if (js.endsWith('.js') && !wanted.has(js)) await rm(join(dist, file), { force: true });
  }
}

/** Builds everything that is out of date. Returns the number of files written. */
export async function build() {
  const newest = Math.max(await mtimeMs(join(root, '.swcrc')), await mtimeMs(fileURLToPath(import.meta.url)));
  const counts = await Promise.all([buildPage(), ...(await projects()).map((dir) => buildProject(dir, newest))]);
  return counts.reduce((a, b) => a + b, 0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const started = performance.now();
  if (process.argv.includes('--clean')) {
    for (const dir of await projects()) await rm(join(dir, 'dist'), { recursive: true, force: true });
  }
  const written = await build();
  if (!process.argv.includes('--quiet'))
    console.log(`build: ${written} files written in ${Math.round(performance.now() - started)} ms`);
}
