// Lays out one app and what it needs at run time, ready to be copied into an image:
//   node deploy/image/assemble.mjs APP OUT
// gives OUT/app (dist, assets), OUT/node_modules (its dependencies alone, without what only compilers and readers use).
// Run it where production dependencies are installed and every dist is built.
import { cp, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** What of our own packages an image holds. */
const OWN_FILES = ['package.json', 'dist', 'assets', 'public'];
/** Folders at the top of a package that no program loads. */
const READERS_FOLDERS = new Set([
  '.github',
  'benchmark',
  'benchmarks',
  'doc',
  'docs',
  'example',
  'examples',
  'test',
  'tests',
]);
const READERS_FILES = /\.(d\.[cm]?ts|[cm]?ts|map|md|markdown|tsbuildinfo|flow)$/i;
/** Parts of packages that Node never loads: other bundlers' builds, sources of native code, builds for other machines. */
const UNUSED = {
  rxjs: ['src', 'dist/bundles', 'dist/esm', 'dist/esm5', 'dist/types'],
  'swagger-ui-dist': ['swagger-ui.js', 'swagger-ui-es-bundle.js', 'swagger-ui-es-bundle-core.js'],
  zeromq: ['src', 'script'],
};

const readJson = async (path) => JSON.parse(await readFile(path, 'utf8'));
const isFolder = (path) =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** Folder below which Node finds package `name` from `from`, or null where it is not installed. */
async function ownerOf(name, from) {
  for (let dir = from; ; dir = dirname(dir)) {
    if (await isFolder(join(dir, 'node_modules', name))) return dir;
    if (dir === root) return null;
  }
}

/** Names that a package imports at run time; `required` ones must be installed. */
function dependenciesOf(manifest) {
  const optionalPeers = manifest.peerDependenciesMeta ?? {};
  const peers = Object.keys(manifest.peerDependencies ?? {}).filter((name) => !optionalPeers[name]?.optional);
  return {
    required: Object.keys(manifest.dependencies ?? {}).filter((name) => !manifest.optionalDependencies?.[name]),
    wanted: [...peers, ...Object.keys(manifest.optionalDependencies ?? {})],
  };
}

/** Every package that the app in `source` needs, itself included: its real folder to its place in the image. */
async function layOut(source, out) {
  const places = new Map([
    [root, out],
    [source, join(out, 'app')],
  ]);
  const open = [source];
  for (let dir = open.pop(); dir !== undefined; dir = open.pop()) {
    const { required, wanted } = dependenciesOf(await readJson(join(dir, 'package.json')));
    for (const name of [...required, ...wanted]) {
      const owner = await ownerOf(name, dir);
      if (owner === null && required.includes(name)) throw new Error(`${name}, needed by ${dir}, is not installed`);
      if (owner === null) continue;
      const real = await realpath(join(owner, 'node_modules', name));
      if (places.has(real)) continue;
      places.set(real, join(places.get(owner), 'node_modules', name));
      open.push(real);
    }
  }
  places.delete(root);
  return places;
}

async function copyOwn(from, to) {
  for (const name of OWN_FILES) {
    await cp(join(from, name), join(to, name), { recursive: true, errorOnExist: false }).catch((error) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}

/** Packages inside it that are needed as well are found and copied on their own. */
async function copyForeign(from, to) {
  const { name } = await readJson(join(from, 'package.json'));
  const unused = new Set(UNUSED[name] ?? []);
  const keep = (file) => {
    const path = relative(from, file);
    if (path === '') return true;
    const top = path.split(sep)[0];
    return (
      top !== 'node_modules' && !READERS_FOLDERS.has(top) && !unused.has(path) && !READERS_FILES.test(basename(path))
    );
  };
  await cp(from, to, { recursive: true, filter: keep });
}

/** Packages bring their addons for every platform: only those stay that load on this one. */
async function removeForeignAddons(out) {
  const files = (await readdir(join(out, 'node_modules'), { recursive: true })).filter((file) =>
    file.endsWith('.node'),
  );
  const require = createRequire(join(out, 'app/package.json'));
  const packages = new Set(
    files.map((file) =>
      file
        .split(sep)
        .slice(0, file.startsWith('@') ? 2 : 1)
        .join('/'),
    ),
  );
  for (const name of packages) require(name);
  const loaded = new Set(process.report.getReport().sharedObjects);
  for (const file of files.map((each) => join(out, 'node_modules', each))) {
    if (!loaded.has(await realpath(file))) await rm(file);
  }
}

const [app, out] = process.argv.slice(2);
if (app === undefined || out === undefined) {
  console.error('usage: node deploy/image/assemble.mjs APP OUT');
  process.exit(2);
}
const source = join(root, 'apps', app);
if (!(await isFolder(join(source, 'dist')))) {
  console.error(`apps/${app}/dist is not there: APP is the name of a folder in apps, and it has to be built`);
  process.exit(1);
}
const places = await layOut(source, out);
for (const [real, place] of places) {
  if (real.includes(`${sep}node_modules${sep}`)) await copyForeign(real, place);
  else await copyOwn(real, place);
}
await removeForeignAddons(out);
console.log(`${app}: ${places.size - 1} packages`);
