import { describe, expect, it } from '@jest/globals';
import { poolId, workerId } from '@sluice/model';
import type { KvEventSource, WorkerSpec } from '@sluice/model';
import type { DeclaredEvents, EngineFacts } from './ask-engine.ts';
import { declaredFindings, listenedFindings, skewOf } from './event-findings.ts';
import type { EventTraces } from './listen-events.ts';
import type { ProbeAnswer } from './probe-request.ts';

const SOURCE: KvEventSource = {
  mode: 'connect',
  endpoint: 'tcp://gpu:5557',
  replayEndpoint: 'tcp://gpu:5558',
  topic: '',
};
const workerWith = (kvEvents: KvEventSource | null, dpRank: number | null = null): WorkerSpec => ({
  id: workerId('a'),
  pool: poolId('p'),
  ...{ engine: 'a', url: 'http://gpu:8000', dpRank, role: 'both', variant: 'default', kvEvents },
});
const factsWith = (events: DeclaredEvents | 'off' | null): EngineFacts => ({
  ...{ kind: 'facts', version: '0.32.0', models: [], ranks: 1, cacheConfig: null },
  events: events === null || events === 'off' ? events : new Map([[0, events]]),
});
const declared = (endpoint: string): DeclaredEvents => ({ endpoint, replayEndpoint: 'tcp://*:5558', topic: 'kv' });
const ANSWERED: ProbeAnswer = {
  ...{ kind: 'answered', promptTokens: 600, cachedTokens: 0 },
  ...{ sentAtMs: 10_000, answeredAtMs: 10_500 },
};
const batch = (timeMs: number, heardAtMs: number, dpRank: number | null = 0): EventTraces['batches'][number] => ({
  heardAtMs,
  batch: { timeMs, dpRank, events: [], unknown: 0, unknownFields: 0, bigrams: 0 },
});
const tracesWith = (rest: Partial<EventTraces>): EventTraces => ({
  ...{ publisher: { kind: 'zmq', socketType: 'PUB' }, linked: true, socketError: null },
  ...{ batches: [batch(10_200, 10_250)], underAnyTopic: 1, unknown: 0 },
  replay: { peer: { kind: 'zmq', socketType: 'ROUTER' }, complete: true },
  ...rest,
});

describe('what an engine declares', () => {
  const codes = (kvEvents: KvEventSource | null, events: DeclaredEvents | 'off' | null, derived = false): string[] =>
    declaredFindings(workerWith(kvEvents), 'engine a', factsWith(events), derived).map(({ code }) => code);

  it.each([
    ['binds, and we connect', SOURCE, declared('tcp://*:5557'), []],
    ['does not say', SOURCE, null, []],
    ['binds on IPv6, and we connect', SOURCE, declared('tcp://[::]:5557'), []],
    ['binds, and so do we', { ...SOURCE, mode: 'bind' as const }, declared('tcp://*:5557'), ['events-both-bind']],
    ['connects, and so do we', SOURCE, declared('tcp://sluice:5557'), ['events-both-connect']],
    ['connects, and we bind', { ...SOURCE, mode: 'bind' as const }, declared('tcp://sluice:5557'), []],
    ['publishes nothing that we expect', SOURCE, 'off' as const, ['events-off']],
    ['publishes nothing, and we know', null, 'off' as const, ['events-none']],
    ['publishes what we do not read', null, declared('tcp://*:5557'), ['events-not-read']],
  ])('%s', (_case, source, events, expected) => {
    expect(codes(source, events)).toEqual(expected);
  });

  it('names the address of the very engine in the fix', () => {
    const [found] = declaredFindings(workerWith(null), 'engine a', factsWith(declared('tcp://*:5557')), false);
    expect(found!.fix).toContain(`kvEvents: { endpoint: 'tcp://gpu:5557', replay: 'tcp://gpu:5558', topic: 'kv' }`);
  });

  it('warns of an engine that connects where the fleet is made of what engines say', () => {
    const bound = { ...SOURCE, mode: 'bind' as const };
    expect(codes(bound, declared('tcp://sluice:5557'), true)).toEqual(['events-engine-connects']);
  });
});

describe('what listening brings to light', () => {
  const codes = (rest: Partial<EventTraces>, source = SOURCE, probe: ProbeAnswer | null = ANSWERED): string[] =>
    listenedFindings(workerWith(source), 'engine a', factsWith(null), tracesWith(rest), probe).map(({ code }) => code);

  it.each<[string, Partial<EventTraces>, string[]]>([
    ['all is well', {}, []],
    [
      'refused',
      { publisher: { kind: 'unreachable', reason: 'refused' }, linked: false, batches: [] },
      ['events-unreachable'],
    ],
    ['no ZeroMQ', { publisher: { kind: 'stranger' }, linked: false, batches: [] }, ['events-not-a-publisher']],
    [
      'the replay socket',
      { publisher: { kind: 'zmq', socketType: 'ROUTER' }, linked: false, batches: [] },
      ['events-not-a-publisher'],
    ],
    ['silence', { batches: [], underAnyTopic: 0 }, ['events-silent']],
    ['another topic', { batches: [], underAnyTopic: 3 }, ['events-wrong-topic']],
    ['forms that nobody knows', { unknown: 2 }, ['events-unknown']],
    ["another rank's events", { batches: [batch(10_200, 10_250, 1)] }, ['events-other-rank']],
    ['no replay address', { replay: null }, ['replay-missing']],
    [
      'no replay',
      { replay: { peer: { kind: 'unreachable', reason: 'refused' }, complete: false } },
      ['replay-unreachable'],
    ],
    ['an address that is taken', { socketError: 'in use', linked: false, batches: [] }, ['events-address-taken']],
    ['a clock ahead', { batches: [batch(40_000, 10_250)] }, ['clock-skew']],
    ['a clock behind', { batches: [batch(1_000, 10_250)] }, ['clock-skew']],
  ])('%s', (_case, traces, expected) => {
    expect(codes(traces)).toEqual(expected);
  });

  it('does not take silence for a mistake where nothing was asked', () => {
    expect(codes({ batches: [], underAnyTopic: 0 }, SOURCE, null)).toEqual([]);
    expect(codes({ batches: [], underAnyTopic: 0 }, SOURCE, { kind: 'failed', reason: 'x' })).toEqual([]);
  });
});

describe('clock skew', () => {
  const skew = (...batches: EventTraces['batches']): number | null => skewOf(tracesWith({ batches }), ANSWERED);

  it('is none while a batch can have been made between the request and its arrival', () => {
    expect([skew(batch(10_000, 10_250)), skew(batch(10_250, 10_250)), skew()]).toEqual([0, 0, null]);
  });
  it('is the least that explains the batches, those from before left out', () => {
    expect(skew(batch(10_300, 10_250))).toBe(50);
    expect(skew(batch(9_900, 10_250))).toBe(-100);
    expect(skew(batch(12_000, 10_250), batch(10_700, 10_400))).toBe(300);
    expect(skew(batch(1, 9_000))).toBeNull();
  });
});
