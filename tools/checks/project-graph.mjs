// The module-boundary rule reads Nx's cached project graph and is silently skipped without one: make it first.
import { execFileSync } from 'node:child_process';

execFileSync('nx', ['graph', '--file=.nx/project-graph.json'], {
  stdio: ['ignore', 'ignore', 'inherit'],
  env: { ...process.env, NX_DAEMON: 'false', NX_CLOUD_NO_PROMPTS: 'true' },
});
