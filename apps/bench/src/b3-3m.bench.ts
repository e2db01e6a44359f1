/** B3 with 3M KV tokens an engine. See docs/benchmarks.md. */
import { mooncake } from './b3.ts';
import { runPart } from './part.ts';

await runPart(process, (context) => mooncake('3M', context));
