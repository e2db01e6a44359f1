import { describe, expect, it } from '@jest/globals';
import { STEP_PROFILES } from '@sluice/model';
import { workerId } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { createFleetTable } from '@sluice/routing';
import { Learned } from '../fleet/learned.ts';
import { ActivePrompts } from './active-prompts.ts';
import type { ActivePrompt } from './active-prompts.ts';
import type { Prompt } from './prefix-view.ts';

const SPAN = 64;
const WORKERS = [workerId('a'), workerId('b')];

const promptOf = (text: string, rootLo: number): Prompt => ({
  bytes: Buffer.from(text),
  otherBytes: 0,
  rootHi: 7,
  rootLo,
  exact: true,
  reason: '',
});

describe('ActivePrompts', () => {
  it('counts what a set of the texts up to every span counts, by worker and root', () => {
    const rng = seededRng(4);
    const table = createFleetTable();
    for (const id of WORKERS) table.addWorker(id, STEP_PROFILES['qwen3-32b-tp2-h100']);
    const learned = new Learned();
    const prompts = new ActivePrompts();
    const live: { worker: number; name: string; length: number; handle: ActivePrompt }[] = [];
    const spansOf = (name: string, length: number): string[] =>
      Array.from({ length: Math.floor(length / SPAN) }, (_, i) => name.slice(0, 2 + (i + 1) * SPAN));
    for (let round = 0; round < 400; round++) {
      // texts of two letters that share long beginnings, below two roots
      const rootLo = 1 + Math.floor(rng() * 2);
      const fork = Math.floor(rng() * 5) * 100;
      const text = 'x'.repeat(fork) + String.fromCharCode(97 + Math.floor(rng() * 3)).repeat(Math.floor(rng() * 500));
      const prompt = promptOf(text, rootLo);
      const name = `${rootLo}/${text}`;
      prompts.fill({ table, learned }, prompt);
      for (const worker of [0, 1]) {
        const mine = live.filter((each) => each.worker === worker).flatMap((each) => spansOf(each.name, each.length));
        const expected = new Set([...mine, ...spansOf(name, text.length)]).size;
        expect(table.columns.activePromptTokens[worker]).toBe((expected * SPAN) / learned.bytesPerToken);
      }
      const worker = Math.floor(rng() * 2);
      live.push({ worker, name, length: text.length, handle: prompts.sent(WORKERS[worker]!, prompt) });
      if (live.length > 8) prompts.ended(live.splice(Math.floor(rng() * live.length), 1)[0]!.handle);
    }
  });

  it('lets requests of a worker that left and came back end without a trace', () => {
    const table = createFleetTable();
    table.addWorker(WORKERS[0]!, STEP_PROFILES['qwen3-32b-tp2-h100']);
    const learned = new Learned();
    const prompts = new ActivePrompts();
    const prompt = promptOf('x'.repeat(10 * SPAN), 1);
    const before = prompts.sent(WORKERS[0]!, prompt);
    prompts.removeWorker(WORKERS[0]!);
    prompts.sent(WORKERS[0]!, prompt);
    prompts.ended(before);
    prompts.fill({ table, learned }, promptOf('y'.repeat(SPAN), 1));
    expect(table.columns.activePromptTokens[0]).toBe((11 * SPAN) / learned.bytesPerToken);
  });
});
