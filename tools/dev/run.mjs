// Builds what is out of date, then becomes an app: node tools/dev/run.mjs APP [arguments...]
// Static imports are Node's own modules only, in syntax that old versions parse, so that an unsupported Node is told so in one line.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MIN_MAJOR = 24;
const major = Number(process.versions.node.split('.')[0]);
if (major < MIN_MAJOR) {
  console.error(
    `Sluice needs Node ${MIN_MAJOR} or newer, this is ${process.version}. ` +
      'On Linux x64 `npm install` brings one: start with `npm start` or `npm run sluice --`.',
  );
  process.exit(1);
}

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const apps = readdirSync(join(root, 'apps')).filter((name) => existsSync(join(root, 'apps', name, 'src/main.ts')));
const [app, ...args] = process.argv.slice(2);
if (app === undefined || !apps.includes(app)) {
  console.error(`usage: node tools/dev/run.mjs APP [arguments...]\nAPP is one of ${apps.join(', ')}`);
  process.exit(2);
}

// In a process of its own: the compiler's memory must not stay with the app.
const built = spawnSync(process.execPath, [join(root, 'tools/dev/build.mjs'), '--quiet'], { stdio: 'inherit' });
if (built.status !== 0) process.exit(built.status ?? 1);

const argv = ['--enable-source-maps', join(root, 'apps', app, 'dist/main.js'), ...args];
if (typeof process.execve === 'function' && process.platform !== 'win32') {
  process.removeAllListeners('warning'); // execve announces itself as experimental
  process.on('warning', () => {});
  process.execve(process.execPath, [process.execPath, ...argv], process.env);
}
const child = spawn(process.execPath, argv, { stdio: 'inherit' });
child.on('exit', (code) => process.exit(code ?? 1));
