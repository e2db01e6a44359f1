import { buildProgram } from './program.ts';

process.exitCode = await buildProgram(process.env).run(process.argv);
