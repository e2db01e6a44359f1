import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { createEngine } from './engine.ts';
import type { EngineRequest } from './engine-api.ts';
import { PROFILES } from './profiles.ts';

type Runs = [first: number, count: number][];
type CapturedEvent = { stored: string[]; parent: string | null } | { removed: string } | { cleared: true };
interface CapturedStep {
  name: string;
  reset?: true;
  prompt: Runs;
  output: Runs;
  cacheSalt: string | null;
  cachedTokens: number;
  batches: CapturedEvent[][];
}
interface Capture {
  blockSize: number;
  kvBlocks: number;
  maxBatchTokens: number;
  steps: CapturedStep[];
}

const capture = JSON.parse(
  readFileSync(new URL('../testdata/vllm-0.32.0-kv-events.json', import.meta.url), 'utf8'),
) as Capture;
const expand = (runs: Runs): number[] =>
  runs.flatMap(([first, count]) => Array.from({ length: count }, (_, i) => first + i));

describe('the events of a real vLLM 0.32.0', () => {
  it('are reproduced: stores, duplicate copies, chunks, evictions in order, clear with the next step', () => {
    const engine = createEngine({
      profile: PROFILES['llama-3.1-8b-h100'],
      blockSize: capture.blockSize,
      kvBlocks: capture.kvBlocks,
      maxBatchTokens: capture.maxBatchTokens,
    });
    // our hashes differ from vLLM's: what must hold is a one-to-one mapping between them
    const ours = new Map<string, bigint>();
    const theirs = new Map<bigint, string>();
    const name = (hash: bigint, captured: string | undefined): string => {
      if (captured !== undefined && !ours.has(captured) && !theirs.has(hash)) {
        ours.set(captured, hash);
        theirs.set(hash, captured);
      }
      return theirs.get(hash) ?? `unknown ${hash}`;
    };
    let nowMs = 0;
    for (const step of capture.steps) {
      if (step.reset) {
        expect(engine.resetPrefixCache()).toBe(true);
        continue;
      }
      const output = expand(step.output);
      const request: EngineRequest = {
        promptTokens: Uint32Array.from(expand(step.prompt)),
        maxTokens: output.length,
        stopToken: null,
        loraName: null,
        cacheSalt: step.cacheSalt,
        nextToken: (index) => output[index]!,
      };
      const submission = engine.submit(request, nowMs);
      const batches: CapturedEvent[][] = [];
      for (let result = engine.step(nowMs); result !== null; result = engine.step(nowMs)) {
        nowMs += result.durationMs;
        if (result.events.length === 0) continue;
        const expected = step.batches[batches.length]?.filter((event) => 'stored' in event) ?? [];
        let stored = 0;
        batches.push(
          result.events.flatMap((event): CapturedEvent[] => {
            if (event.kind === 'cleared') return [{ cleared: true }];
            if (event.kind === 'removed') return [...event.hashes].map((h) => ({ removed: name(h, undefined) }));
            const captured = expected[stored++]?.stored;
            return [
              {
                stored: [...event.hashes].map((h, i) => name(h, captured?.[i])),
                parent: event.parent === null ? null : name(event.parent, undefined),
              },
            ];
          }),
        );
      }
      expect({ name: step.name, batches }).toEqual({ name: step.name, batches: step.batches });
      expect(submission.kind === 'accepted' && submission.progress.cachedTokens).toBe(step.cachedTokens);
    }
  });
});
