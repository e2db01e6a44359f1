// Bundles the page: web/ to public/, with the runbook. Runs with every build (tools/dev/build.mjs) and does nothing when all is fresh.
import { copyFile, mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = dirname(fileURLToPath(import.meta.url));
const out = join(web, '../public');
const runbook = join(web, '../../../docs/runbook.md');
/** Served as they are. */
const AS_THEY_ARE = ['index.html', 'theme.js', 'icon.svg'];

async function newestMs(folder) {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const sources = files.filter((file) => file.isFile());
  const times = await Promise.all(sources.map(async (file) => (await stat(join(file.parentPath, file.name))).mtimeMs));
  return Math.max(...times);
}

const isFresh = async () => {
  const built = await stat(join(out, 'app.js')).catch(() => null);
  const changedMs = Math.max(await newestMs(web), (await stat(runbook)).mtimeMs);
  return built !== null && built.mtimeMs > changedMs;
};

/** Returns the number of files written. */
export async function buildPage() {
  if (await isFresh()) return 0;
  const { build } = await import('esbuild');
  await mkdir(out, { recursive: true });
  const copied = AS_THEY_ARE.map((file) => copyFile(join(web, file), join(out, file)));
  await Promise.all([...copied, copyFile(runbook, join(out, 'runbook.md'))]);
  await build({
    entryPoints: [join(web, 'app.tsx'), join(web, 'style.css')],
    outdir: out,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2023',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'linked',
    logLevel: 'error',
  });
  return AS_THEY_ARE.length + 3;
}
