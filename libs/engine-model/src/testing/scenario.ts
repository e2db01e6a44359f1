import fc from 'fast-check';
import type { Engine, EngineRequest, FinishReason } from '../engine-api.ts';
import type { KvEvent } from '../kv-event.ts';

/** A request of a scenario, and what has become of it. */
export interface ScenarioRequest extends EngineRequest {
  readonly name: number;
  readonly arrivalMs: number;
  /** Aborted once it has this many tokens; null: never. */
  readonly abortAfter: number | null;
  readonly outputs: number[];
  finished: FinishReason | 'aborted' | null;
}

export interface ScenarioSpec {
  readonly kvBlocks: number;
  readonly blockSize: number;
  readonly maxBatchTokens: number;
  readonly maxSeqs: number;
  readonly requests: readonly {
    readonly family: number;
    readonly sharedTokens: number;
    readonly ownTokens: number;
    readonly maxTokens: number;
    readonly stopAt: number | null;
    readonly gapMs: number;
    readonly salt: boolean;
    readonly abortAfter: number | null;
  }[];
}

/** Small engines under pressure: prompts share prefixes, memory is short, some requests are dropped. */
export const scenario: fc.Arbitrary<ScenarioSpec> = fc.record({
  // room for the longest request, 36 tokens, and not much more
  kvBlocks: fc.integer({ min: 20, max: 30 }),
  blockSize: fc.constant(2),
  maxBatchTokens: fc.constantFrom(3, 8, 64),
  maxSeqs: fc.constantFrom(2, 5, 16),
  requests: fc.array(
    fc.record({
      family: fc.nat(2),
      sharedTokens: fc.nat(15),
      ownTokens: fc.integer({ min: 1, max: 5 }),
      maxTokens: fc.integer({ min: 1, max: 16 }),
      stopAt: fc.option(fc.nat(12), { freq: 1 }),
      gapMs: fc.constantFrom(0, 0, 3, 40),
      salt: fc.boolean(),
      abortAfter: fc.option(fc.nat(3), { freq: 1 }),
    }),
    { minLength: 1, maxLength: 25 },
  ),
});

const STOP = 7;

export function requestsOf(spec: ScenarioSpec): ScenarioRequest[] {
  let arrivalMs = 0;
  return spec.requests.map((request, name) => {
    arrivalMs += request.gapMs;
    const shared = Array.from({ length: request.sharedTokens }, (_, i) => 1000 * (request.family + 1) + i);
    const own = Array.from({ length: request.ownTokens }, (_, i) => 100_000 + 10 * name + i);
    return {
      name,
      arrivalMs,
      promptTokens: Uint32Array.from([...shared, ...own]),
      maxTokens: request.maxTokens,
      stopToken: request.stopAt === null ? null : STOP,
      loraName: null,
      cacheSalt: request.salt ? 'salt' : null,
      abortAfter: request.abortAfter,
      nextToken: (index: number) => (index === request.stopAt ? STOP : 500_000 + 10 * name + index),
      outputs: [],
      finished: null,
    };
  });
}

export interface StepRecord {
  readonly startMs: number;
  readonly durationMs: number;
  readonly batchTokens: number;
  readonly sequences: number;
  readonly events: readonly KvEvent[];
}

/** Plays a scenario to its end, calling `afterStep` once the step's tokens were handed out. */
export function play(
  engine: Engine<ScenarioRequest>,
  requests: readonly ScenarioRequest[],
  afterStep: (record: StepRecord) => void = () => {},
): StepRecord[] {
  const records: StepRecord[] = [];
  let nowMs = 0;
  let next = 0;
  while (true) {
    for (; next < requests.length && requests[next]!.arrivalMs <= nowMs; next++) engine.submit(requests[next]!, nowMs);
    const result = engine.step(nowMs);
    if (result === null) {
      if (next === requests.length) return records;
      nowMs = requests[next]!.arrivalMs;
      continue;
    }
    nowMs += result.durationMs;
    result.requests.forEach((request, i) => {
      request.outputs.push(result.tokens[i]!);
      request.finished = result.finished[i]!;
      if (request.finished === null && request.outputs.length === request.abortAfter) {
        engine.abort(request);
        request.finished = 'aborted';
      }
    });
    const { startMs, durationMs, batchTokens, sequences, events } = result;
    records.push({ startMs, durationMs, batchTokens, sequences, events });
    afterStep(records.at(-1)!);
  }
}
