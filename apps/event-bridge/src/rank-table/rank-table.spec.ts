import { describe, expect, it } from '@jest/globals';
import type { EngineKvEvent } from '@sluice/engine-wire';
import fc from 'fast-check';
import { HeldSet, NaiveRankTable, numberVocabulary } from '../testing/naive-rank-table.ts';
import { removed, stored } from '../testing/events.ts';
import { RankTable } from './rank-table.ts';

const newTable = () => new RankTable({ pool: 'p', vocabulary: numberVocabulary });

function applied(table: RankTable, held: HeldSet, ...events: EngineKvEvent[]): HeldSet {
  for (const event of events) table.apply(event, held);
  return held;
}

describe('RankTable', () => {
  it('sends a store for the first copy and a removal for the last', () => {
    const table = newTable();
    const held = new HeldSet();
    applied(table, held, stored({ sequence: [1, 2] }), stored({ sequence: [1, 2], from: 1 }));
    expect(held.sorted()).toHaveLength(2);
    expect(table.blocks).toBe(2);
    applied(table, held, removed([2], [1, 2]));
    expect(held.sorted()).toHaveLength(2);
    applied(table, held, removed([2], [1, 2]));
    expect(held.sorted()).toHaveLength(1);
    expect(held.idle).toBe(0);
    expect(table.blocks).toBe(1);
  });

  it('keeps adapters, salts and images apart', () => {
    const table = newTable();
    const held = applied(
      table,
      new HeldSet(),
      stored({ sequence: [1] }),
      stored({ sequence: [1], lora: 'a', hashSeed: 1n }),
      stored({ sequence: [1], salt: 's', hashSeed: 2n }),
      { ...stored({ sequence: [1], hashSeed: 3n }), foreignKeys: ['["image",0]'] },
    );
    expect(held.sorted()).toHaveLength(4);
  });

  it('leaves out what hangs below an unknown parent', () => {
    const table = newTable();
    const held = applied(table, new HeldSet(), stored({ sequence: [1, 2, 3], from: 1 }));
    expect(held.sorted()).toEqual([]);
    expect(table.counters.orphans).toBe(2);
  });

  it('clears the accelerator only', () => {
    const table = newTable();
    const held = applied(table, new HeldSet(), stored({ sequence: [1, 2] }), stored({ sequence: [1], tier: 'cpu' }), {
      kind: 'cleared',
    });
    expect(held.sorted().map((key) => key[0])).toEqual(['1']);
    expect(table.blocks).toBe(1);
    // the surviving block is still a parent that later blocks can hang on
    applied(table, held, stored({ sequence: [1, 2], from: 1 }));
    expect(held.sorted()).toHaveLength(2);
  });

  it('resolves hashes without tokens through what was stored with tokens', () => {
    const table = newTable();
    const cpu = { ...stored({ sequence: [1, 2], tier: 'cpu' }), tokenIds: new Uint32Array(0), blockSize: 0 };
    const held = applied(table, new HeldSet(), stored({ sequence: [1, 2] }), cpu);
    expect(held.sorted().filter((key) => key.startsWith('1 '))).toHaveLength(2);
    applied(table, held, removed([1, 2], [1, 2]));
    expect(held.sorted().map((key) => key[0])).toEqual(['1', '1']);
  });

  it('follows one dense group and counts the others', () => {
    const table = newTable();
    const held = applied(
      table,
      new HeldSet(),
      { ...stored({ sequence: [1] }), groupIndex: 0, groupKind: 'full_attention' },
      { ...stored({ sequence: [1] }), groupIndex: 1, groupKind: 'sliding_window' },
      { ...removed([1], [1]), groupIndex: 1 },
    );
    expect(held.sorted()).toHaveLength(1);
    expect(table.counters.ignoredGroups).toBe(2);
    applied(table, held, { ...removed([1], [1]), groupIndex: 0 });
    expect(held.sorted()).toEqual([]);
  });

  it('refuses tokens that do not fill their blocks', () => {
    const table = newTable();
    applied(table, new HeldSet(), { ...stored({ sequence: [1, 2] }), blockSize: 3 });
    expect(table.counters.malformed).toBe(1);
    expect(table.blocks).toBe(0);
  });

  it('bounds its memory', () => {
    const table = new RankTable({ pool: 'p', vocabulary: numberVocabulary, maxBlocks: 2 });
    const held = applied(table, new HeldSet(), stored({ sequence: [1, 2, 3] }));
    expect(held.sorted()).toHaveLength(2);
    expect(table.counters.refused).toBe(1);
  });

  it('after a loss believes only what is stored again and the ancestors that this proves', () => {
    const table = newTable();
    const held = applied(table, new HeldSet(), stored({ sequence: [1, 2, 3] }), stored({ sequence: [9] }));
    table.forgetCopies();
    expect(table.blocks).toBe(0);
    const after = applied(table, new HeldSet(), stored({ sequence: [1, 2, 4], from: 2 }));
    expect(after.sorted()).toHaveLength(3);
    expect(after.sorted().filter((key) => held.keys.has(key))).toHaveLength(2);
    // one copy was inferred, so one removal ends it, whatever the engine still has
    applied(table, after, removed([2], [1, 2]));
    expect(after.sorted()).toHaveLength(2);
  });

  it('dumps parents before children', () => {
    const table = newTable();
    applied(table, new HeldSet(), stored({ sequence: [1, 2, 3, 4] }), stored({ sequence: [1, 5, 6], from: 1 }));
    const seen = new Set<string>();
    let roots = 0;
    table.dump({
      store(_tier, hi, lo, parentHi, parentLo, spanBytes, tokens) {
        if (!seen.has(`${parentHi}:${parentLo}`)) roots++;
        seen.add(`${hi}:${lo}`);
        expect(spanBytes).toBeGreaterThan(0);
        expect(tokens).toBe(4);
      },
      remove: () => expect(true).toBe(false),
      clear: () => expect(true).toBe(false),
    });
    expect(seen.size).toBe(6);
    expect(roots).toBe(1);
  });

  it('agrees with the naive table over any history', () => {
    const step = fc.oneof(
      {
        weight: 10,
        arbitrary: fc.record({
          do: fc.constant('store' as const),
          sequence: sequences(),
          from: fc.nat(3),
          tier: tiers(),
          lora: loras(),
          salt: salts(),
        }),
      },
      {
        weight: 8,
        arbitrary: fc.record({
          do: fc.constant('remove' as const),
          sequence: sequences(),
          from: fc.nat(3),
          tier: tiers(),
          lora: loras(),
          salt: salts(),
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 120 }), fc.boolean(), (steps, saltInHash) => {
        const table = newTable();
        const naive = new NaiveRankTable('p', numberVocabulary);
        let held = new HeldSet();
        for (const action of steps) {
          if (action.do === 'lose' || action.do === 'restart') {
            if (action.do === 'lose') table.forgetCopies();
            else table.reset();
            if (action.do === 'lose') naive.forgetCopies();
            else naive.reset();
            held = new HeldSet();
          } else {
            const event = eventOf(action, saltInHash);
            table.apply(event, held);
            naive.apply(event);
          }
          expect(held.sorted()).toEqual(naive.held());
        }
        expect(held.idle).toBe(0);
        const dumped = new HeldSet();
        table.dump(dumped);
        expect(dumped.sorted()).toEqual(naive.held());
        expect(table.blocks).toBe(new Set(naive.held().map((key) => key.split(' ')[1])).size);
      }),
      { seed: 20261123, numRuns: 300 },
    );
  });
});

const sequences = () => fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 });
const tiers = () => fc.constantFrom('hbm' as const, 'hbm' as const, 'cpu' as const, 'remote' as const);
const loras = () => fc.constantFrom(null, null, 'adapter');
const salts = () => fc.constantFrom(null, null, 'salt');

type Action =
  | { do: 'clear' }
  | {
      do: 'store' | 'remove';
      sequence: number[];
      from: number;
      tier: 'hbm' | 'cpu' | 'remote';
      lora: string | null;
      salt: string | null;
    };

/** `saltInHash` false: as SGLang, equal tokens under two salts have one hash. */
function eventOf(action: Action, saltInHash: boolean): EngineKvEvent {
  if (action.do === 'clear') return { kind: 'cleared' };
  const { sequence, tier, lora, salt } = action;
  const from = Math.min(action.from, sequence.length - 1);
  const hashSeed = saltInHash ? BigInt((lora === null ? 0 : 1) + (salt === null ? 0 : 2)) : 0n;
  if (action.do === 'remove') return removed([sequence.length], sequence, { tier, hashSeed });
  return stored({ sequence, from, tier, lora, salt, hashSeed });
}
