import { buildProgram } from './program.ts';

// Who reads may have had enough, as `head -1` has: the command goes on to its own end.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

process.exitCode = await buildProgram(process.env).run(process.argv);
