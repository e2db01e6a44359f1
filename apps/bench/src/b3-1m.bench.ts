/** B3 with 1M KV tokens an engine. See docs/benchmarks.md. */
import { mooncake } from './b3.ts';
import { runPart } from './part.ts';

await runPart(process, (context) => mooncake('1M', context));
