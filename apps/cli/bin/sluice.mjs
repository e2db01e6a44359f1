#!/usr/bin/env node
// `npx sluice ...` on a clone: builds what is out of date and runs the command line.
process.argv.splice(2, 0, 'cli');
await import('../../../tools/dev/run.mjs');
