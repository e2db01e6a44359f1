/** B1 with the same question of a user every time. See docs/benchmarks.md. */
import { runPart } from './part.ts';
import { steadySweep } from './steady-sweep.ts';

await runPart(process, (context) => steadySweep('verbatim', context));
