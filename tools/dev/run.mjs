// Builds what is out of date, then runs an app: node tools/dev/run.mjs APP [arguments...]
// Written in syntax that old Node versions parse, so that an unsupported one is told so in one line.
import { spawn } from 'node:child_process';
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
const [app, ...args] = process.argv.slice(2);
if (app === undefined) {
  console.error('usage: node tools/dev/run.mjs APP [arguments...]');
  process.exit(2);
}

const { build } = await import('./build.mjs');
await build();

const child = spawn(process.execPath, ['--enable-source-maps', join(root, 'apps', app, 'dist/main.js'), ...args], {
  stdio: 'inherit',
});
// A terminal sends Ctrl-C to the whole group, so the app sees it too; this process only waits for the app's own end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
