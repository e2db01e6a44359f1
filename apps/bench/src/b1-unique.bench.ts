/** B1 with a new question every time. See docs/benchmarks.md. */
import { runPart } from './part.ts';
import { steadySweep } from './steady-sweep.ts';

await runPart(process, (context) => steadySweep('unique', context));
