// Bundles the page: web/ to public/. Runs with every build (tools/dev/build.mjs) and does nothing when all is fresh.
import { copyFile, mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = dirname(fileURLToPath(import.meta.url));
const out = join(web, '../public');
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
  return built !== null && built.mtimeMs > (await newestMs(web));
};

/** Returns the number of files written. */
export async function buildPage() {
  if (await isFresh()) return 0;
  const { build } = await import('esbuild');
  await mkdir(out, { recursive: true });
  await Promise.all(AS_THEY_ARE.map((file) => copyFile(join(web, file), join(out, file))));
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
  return AS_THEY_ARE.length + 2;
}
