import { pathToFileURL } from 'node:url';
import { workerId } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createMatches } from './matches.ts';
import { createPrefixIndex } from './prefix-index.ts';
import { createReferenceIndex } from './reference.ts';
import { chainOf, randomBytes, storeAll, testRoot } from './testing/prompts.ts';
import type { ChainBlock } from './testing/prompts.ts';
import type { PrefixIndex } from './types.ts';

export interface BenchClaim {
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: number | null;
  readonly met: boolean | null;
}

const SPAN = 64;
const ROOT = testRoot();

/** Processor time of one of `times` runs, in nanoseconds: on a busy machine, wall time would tell of the neighbours. */
function nanoseconds(times: number, run: () => void): number {
  const before = process.threadCpuUsage();
  for (let i = 0; i < times; i++) run();
  const { user, system } = process.threadCpuUsage(before);
  return ((user + system) * 1000) / times;
}

interface Fleet {
  readonly index: PrefixIndex;
  readonly prompts: Uint8Array[];
  readonly blocks: number;
}

/** An index of `workers` workers with about `nodes` blocks: prompts of 30 KB that share their first third by groups. */
function fleetOf(make: () => PrefixIndex, workers: number, nodes: number, promptBytes: number): Fleet {
  const rng = seededRng(workers);
  const index = make();
  for (let i = 0; i < workers; i++) index.addWorker(workerId(`w${i}`));
  const group = randomBytes(rng, promptBytes / 3);
  const chains: { row: number; chain: ChainBlock[] }[] = [];
  const prompts: Uint8Array[] = [];
  for (let count = 0; count < nodes;) {
    const prompt = randomBytes(rng, promptBytes);
    prompt.set(group);
    prompts.push(prompt);
    const chain = chainOf(ROOT, prompt, [SPAN]);
    // the shared third is held by every worker in turn, the rest by one
    chains.push({ row: prompts.length % workers, chain });
    count += (chain.length * 2) / 3;
  }
  for (let row = 0; row < workers; row++)
    storeAll(index, row, 0, chains[0]!.chain.slice(0, chains[0]!.chain.length / 3));
  for (const { row, chain } of chains) storeAll(index, row, 0, chain);
  return { index, prompts, blocks: index.stats().nodes };
}

/**
 * Insert and match times of the production index and of the plain reference, and bytes per node. Prompts of the match are
 * taken in turn from all that the index holds, so most of their nodes are out of the processor's caches.
 */
export function main(options: { readonly smoke: boolean }): BenchClaim[] {
  const claims: BenchClaim[] = [];
  const claim = (id: string, value: number, unit: string): void => {
    claims.push({ id, value: Math.round(value * 10) / 10, unit, bar: null, met: null });
  };
  const nodes = options.smoke ? 20_000 : 1_000_000;
  const structures = [
    { name: 'index', make: () => createPrefixIndex(), nodes },
    { name: 'reference', make: createReferenceIndex, nodes: Math.min(nodes, 50_000) },
  ];
  for (const { name, make, nodes } of structures) {
    const rng = seededRng(1);
    const chain = chainOf(ROOT, randomBytes(rng, SPAN * nodes), [SPAN]);
    const index = make();
    const row = index.addWorker(workerId('w'));
    const insert = nanoseconds(1, () => storeAll(index, row, 0, chain));
    claim(`${name}.insert`, insert / chain.length, 'ns/block');
    if (name === 'index') claim(`${name}.memory`, index.stats().bytes / chain.length, 'bytes/node');
    for (const [workers, label] of [
      [4, '4'],
      [100, '100'],
      [1000, '1000'],
    ] as const) {
      for (const [bytes, size] of [
        [4096, '4KB'],
        [30_720, '30KB'],
        [225_280, '220KB'],
      ] as const) {
        if (name === 'reference' && (workers > 100 || bytes > 30_720)) continue;
        const { index, prompts } = fleetOf(make, workers, nodes, bytes);
        const out = createMatches(workers);
        let turn = 0;
        const times = name === 'reference' ? 5 : Math.max(50, Math.min(400, prompts.length));
        for (let i = 0; i < 20 && name === 'index'; i++) index.match(...ROOT, prompts[i % prompts.length]!, 4, 0, out);
        const ns = nanoseconds(times, () => index.match(...ROOT, prompts[turn++ % prompts.length]!, 4, 0, out));
        claim(`${name}.match.${label}workers.${size}`, ns / Math.floor(bytes / SPAN), 'ns/block');
        claim(`${name}.match.${label}workers.${size}.total`, ns / 1000, 'us');
      }
    }
  }
  return claims;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(JSON.stringify({ suite: 'index', claims: main({ smoke: process.argv.includes('--smoke') }) }));
}
