import { afterEach, describe, expect, it } from '@jest/globals';
import { KvFlag, readKvBatch, readKvBatchHeader } from '@sluice/contracts';
import { encodeKvBatch } from '@sluice/engine-wire';
import type { EngineKvEvent, KvEventStreamOptions, KvMessage, KvReplay } from '@sluice/engine-wire';
import fc from 'fast-check';
import { RankTable } from '../rank-table/rank-table.ts';
import { removed, stored } from '../testing/events.ts';
import { HeldSet, NaiveRankTable, numberVocabulary } from '../testing/naive-rank-table.ts';
import { RankReader } from './rank-reader.ts';
import type { FeedState, RankReaderOptions } from './rank-reader.ts';

const A = [1, 2, 3];
const C = [7, 8];
const SILENT: KvReplay = { messages: [], complete: false, late: false };

/** An engine without sockets: what it published, and what the reader asks and gets. */
class Engine {
  truth = new NaiveRankTable('p', numberVocabulary);
  published: KvMessage[] = [];
  /** Taken in turn instead of the real answer. */
  answers: (KvReplay | Promise<KvReplay>)[] = [];
  asked: number[] = [];
  onMessage: KvEventStreamOptions['onMessage'] = () => undefined;
  onLink: NonNullable<KvEventStreamOptions['onLink']> = () => undefined;
  connected = true;
  timeMs = 1_000;

  connect(): void {
    this.connected = true;
    this.onLink('up');
  }

  disconnect(): void {
    this.connected = false;
    this.onLink('down');
  }

  make(...events: EngineKvEvent[]): KvMessage {
    for (const event of events) this.truth.apply(event);
    this.timeMs += 10;
    const bare = events.map((event) => {
      if (event.kind !== 'stored') return event.kind === 'removed' ? { ...event, medium: 'GPU' } : event;
      const { extraKeys: _extraKeys, medium: _medium, ...rest } = event;
      return rest;
    });
    const payload = encodeKvBatch({ timeMs: this.timeMs, events: bare, dpRank: 1 });
    const message: KvMessage = [BigInt(this.published.length), payload];
    this.published.push(message);
    return message;
  }

  deliver(...messages: KvMessage[]): void {
    for (const [seq, payload] of messages) this.onMessage(seq, payload);
  }

  step(...events: EngineKvEvent[]): void {
    this.deliver(this.make(...events));
  }

  restart(): void {
    this.truth = new NaiveRankTable('p', numberVocabulary);
    this.published = [];
    this.timeMs += 5_000;
  }

  replay(from: bigint): Promise<KvReplay> {
    this.asked.push(Number(from));
    const messages = this.published.filter(([seq]) => seq >= from);
    return Promise.resolve(this.answers.shift() ?? { messages, complete: true, late: false });
  }
}

/** The reader's batches as a receiver takes them. */
class Sink {
  held = new HeldSet();
  flags: number[] = [];
  epochs: number[] = [];
  take(bytes: Uint8Array): void {
    const header = readKvBatchHeader(bytes);
    if ((header.flags & KvFlag.BEGIN) !== 0) {
      this.held = new HeldSet();
      this.epochs.push(header.epoch);
    }
    this.flags.push(header.flags);
    readKvBatch(bytes, this.held);
  }
}

const readers: RankReader[] = [];
afterEach(() => {
  for (const reader of readers.splice(0)) reader.close();
});

interface Setup {
  engine: Engine;
  reader: RankReader;
  sink: Sink;
  warnings: string[];
  /** The reader's state whenever it said that something changed. */
  told: FeedState[];
}

function start(engine = new Engine(), options: Partial<RankReaderOptions> = {}): Setup {
  const sink = new Sink();
  const warnings: string[] = [];
  const told: FeedState[] = [];
  const reader: RankReader = new RankReader({
    source: { mode: 'connect', endpoint: 'tcp://e:1', replayEndpoint: 'tcp://e:2', topic: '' },
    dpRank: null,
    table: new RankTable({ pool: 'p', vocabulary: numberVocabulary }),
    openStream: ({ onMessage, onLink }) => {
      engine.onMessage = onMessage;
      engine.onLink = onLink ?? engine.onLink;
      return {
        get connected() {
          return engine.connected;
        },
        replay: (from) => engine.replay(from),
        close: () => undefined,
      };
    },
    send: (bytes) => sink.take(bytes),
    now: () => 5_000,
    warn: (message) => warnings.push(message),
    onChange: () => told.push(reader.state),
    onBatch: () => undefined,
    timing: { retryMs: 1, settledMs: 1, idleCheckMs: 60_000, resyncMs: 1 },
    ...options,
  });
  readers.push(reader);
  return { engine, reader, sink, warnings, told };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** Resolves when the reader has had nothing to find out for a while. */
async function settled({ reader }: Setup): Promise<void> {
  for (let calm = 0; calm < 4; calm++) {
    await pause(2);
    if (reader.isSettling) calm = 0;
  }
}

function expectAgreement({ engine, sink }: Setup): void {
  expect(sink.held.sorted()).toEqual(engine.truth.held());
}

describe('RankReader', () => {
  it('drops what a replay and the live stream both deliver', async () => {
    const engine = new Engine();
    const early = [engine.make(stored({ sequence: A })), engine.make(removed([3], A))];
    const setup = start(engine);
    engine.deliver(...early);
    await settled(setup);
    expectAgreement(setup);
    expect(setup.reader.counters).toMatchObject({ duplicates: 2, restarts: 0, batches: 2 });
    expect(setup.reader.state).toBe('live');
    expect(setup.sink.epochs).toHaveLength(1);
  });

  it('does not take a clock that was set back for another process', async () => {
    const setup = start();
    const { engine } = setup;
    await settled(setup);
    engine.step(stored({ sequence: A }));
    engine.timeMs -= 500;
    const repeated = engine.make(stored({ sequence: C }));
    engine.connect();
    engine.deliver(repeated);
    engine.step(stored({ sequence: [9] }));
    await settled(setup);
    expectAgreement(setup);
    expect(setup.reader.counters.restarts).toBe(0);
  });

  it('asks again when a replay is silent', async () => {
    const setup = start();
    const { engine } = setup;
    await settled(setup);
    engine.step(stored({ sequence: A }));
    engine.make(stored({ sequence: C }));
    engine.answers = [SILENT, SILENT];
    engine.step(stored({ sequence: [5] }));
    await settled(setup);
    expectAgreement(setup);
    expect(setup.reader.counters).toMatchObject({ gaps: 1, losses: 0 });
    expect(setup.reader.state).toBe('live');
  });

  it('gives up a gap when replays stay silent', async () => {
    const setup = start();
    const { engine } = setup;
    await settled(setup);
    engine.step(stored({ sequence: A }));
    engine.make(stored({ sequence: C }));
    engine.answers = Array.from({ length: 10 }, () => SILENT);
    engine.truth.forgetCopies();
    engine.step(stored({ sequence: [6] }));
    await settled(setup);
    expectAgreement(setup);
    expect(setup.reader.counters).toMatchObject({ gaps: 1, losses: 1 });
    expect(setup.reader.state).toBe('incomplete');
    expect(engine.answers.length).toBeGreaterThan(0);
  });

  it('gives up a gap when the engine no longer has what is missing', async () => {
    const setup = start();
    const { engine } = setup;
    await settled(setup);
    engine.step(stored({ sequence: A }));
    for (let i = 0; i < 5; i++) engine.make(stored({ sequence: [30 + i] }));
    engine.truth.forgetCopies();
    const kept = [engine.make(stored({ sequence: C })), engine.make(stored({ sequence: [5] }))];
    engine.answers = [{ messages: kept, complete: true, late: true }];
    engine.step(stored({ sequence: [6] }));
    await settled(setup);
    expectAgreement(setup);
    expect(setup.sink.held.sorted()).toHaveLength(4);
    expect(setup.reader.counters).toMatchObject({ gaps: 1, losses: 1, restarts: 0 });
    expect(setup.reader.state).toBe('incomplete');
  });

  it('replays what a full queue could not take', async () => {
    const engine = new Engine();
    engine.make(stored({ sequence: A }));
    let answer: (replay: KvReplay) => void = () => undefined;
    engine.answers = [new Promise<KvReplay>((resolve) => (answer = resolve))];
    const setup = start(engine, { maxQueueBytes: 300 });
    const first = [...engine.published];
    for (let i = 0; i < 20; i++) engine.step(stored({ sequence: [10 + i] }));
    answer({ messages: first, complete: true, late: false });
    await settled(setup);
    expectAgreement(setup);
    expect(setup.reader.counters.overflows).toBeGreaterThan(0);
    expect(setup.reader.counters).toMatchObject({ losses: 0, batches: 21 });
  });

  it('notices a restart by the times of batches, whatever their numbers', async () => {
    const setup = start();
    const { engine } = setup;
    await settled(setup);
    for (let i = 0; i < 3; i++) engine.step(stored({ sequence: [i] }));
    engine.disconnect();
    engine.restart();
    for (let i = 0; i < 3; i++) engine.make(stored({ sequence: [20 + i] }));
    // a message may be read before the news of its connection
    engine.connected = true;
    engine.step(stored({ sequence: C }));
    await settled(setup);
    expectAgreement(setup);
    expect(setup.reader.counters).toMatchObject({ restarts: 1, losses: 0 });
    expect(setup.reader.state).toBe('live');
  });

  it('notices a restart of an engine that has published less since', async () => {
    const setup = start();
    const { engine } = setup;
    await settled(setup);
    for (let i = 0; i < 20; i++) engine.step(stored({ sequence: [i] }));
    engine.disconnect();
    engine.restart();
    engine.make(stored({ sequence: A }));
    engine.connect();
    await settled(setup);
    expectAgreement(setup);
    expect(setup.reader.counters.restarts).toBe(1);
  });

  it('does not believe a connection that broke where nothing can be replayed', async () => {
    const engine = new Engine();
    const source = { mode: 'connect', endpoint: 'tcp://e:1', replayEndpoint: null, topic: '' } as const;
    engine.replay = () => Promise.resolve(SILENT);
    const setup = start(engine, { source });
    await settled(setup);
    expect(setup.reader.state).toBe('waiting');
    engine.step(stored({ sequence: A }));
    await settled(setup);
    expect(setup.reader.state).toBe('live');
    expectAgreement(setup);
    engine.disconnect();
    engine.connect();
    await settled(setup);
    engine.truth.forgetCopies();
    engine.step(stored({ sequence: [1, 5], from: 1 }));
    await settled(setup);
    expect(setup.reader.state).toBe('incomplete');
    expectAgreement(setup);
    expect(setup.sink.held.sorted()).toHaveLength(2);
  });

  it('says that it is incomplete when a block hangs on one that was never announced', async () => {
    const setup = start();
    const { engine, sink, reader } = setup;
    await settled(setup);
    const asked = engine.asked.length;
    engine.step(stored({ sequence: A, from: 1 }), stored({ sequence: C }));
    await settled(setup);
    expectAgreement(setup);
    expect(reader.state).toBe('incomplete');
    expect(sink.flags.at(-1)! & KvFlag.INCOMPLETE).toBeTruthy();
    expect(engine.asked.length).toBeGreaterThan(asked);
    expect(reader.table.counters.orphans).toBe(2);
  });

  it('opens an epoch that claims nothing while the engine is away, and a full one when it is there', async () => {
    const engine = new Engine();
    engine.make(stored({ sequence: A }));
    engine.answers = [SILENT];
    const setup = start(engine);
    await settled(setup);
    expect(setup.reader.state).toBe('waiting');
    expect(setup.sink.flags).toEqual([KvFlag.BEGIN | KvFlag.INCOMPLETE]);
    engine.connect();
    await settled(setup);
    expect(setup.reader.state).toBe('live');
    expectAgreement(setup);
    expect(setup.sink.epochs).toEqual([5_000, 5_001]);
  });

  it('is disconnected while the engine is away, whatever it held, and live again with the next process', async () => {
    const setup = start();
    const { engine, reader, sink, told } = setup;
    await settled(setup);
    engine.step(stored({ sequence: A }));
    engine.disconnect();
    expect(reader.state).toBe('disconnected');
    engine.answers = [SILENT];
    reader.checkNow();
    await settled(setup);
    expect(reader.state).toBe('disconnected');
    // the network may be what broke: what was known is kept until the engine has answered
    expectAgreement(setup);
    expect(sink.epochs).toHaveLength(1);
    engine.restart();
    engine.make(stored({ sequence: C }));
    engine.connect();
    await settled(setup);
    expectAgreement(setup);
    expect(reader.state).toBe('live');
    expect(sink.epochs).toHaveLength(2);
    expect(told).toEqual(['live', 'disconnected', 'live']);
  });

  it('tells of a connection that broke and came back to the same process, without a new epoch', async () => {
    const setup = start();
    const { engine, reader, sink, told } = setup;
    await settled(setup);
    engine.step(stored({ sequence: A }));
    engine.disconnect();
    let answer: (replay: KvReplay) => void = () => undefined;
    engine.answers = [new Promise<KvReplay>((resolve) => (answer = resolve))];
    engine.connect();
    // it may be another process until it has answered
    expect(reader.state).toBe('incomplete');
    answer({ messages: engine.published, complete: true, late: false });
    await settled(setup);
    expectAgreement(setup);
    expect(reader.state).toBe('live');
    expect(told).toEqual(['live', 'disconnected', 'live']);
    expect(sink.epochs).toHaveLength(1);
  });

  it('is disconnected, not live, when only the replay socket answers', async () => {
    const engine = new Engine();
    engine.connected = false;
    engine.make(stored({ sequence: A }));
    const setup = start(engine);
    await settled(setup);
    expect(setup.reader.state).toBe('disconnected');
    expectAgreement(setup);
  });

  it('stays incomplete behind a connection that came back where nothing can be replayed', async () => {
    const engine = new Engine();
    const source = { mode: 'connect', endpoint: 'tcp://e:1', replayEndpoint: null, topic: '' } as const;
    engine.replay = () => Promise.resolve(SILENT);
    const setup = start(engine, { source });
    await settled(setup);
    engine.step(stored({ sequence: A }));
    await settled(setup);
    engine.disconnect();
    engine.connect();
    await settled(setup);
    expect(setup.reader.state).toBe('incomplete');
    expect(setup.told.slice(-3)).toEqual(['live', 'disconnected', 'incomplete']);
    engine.restart();
    engine.step(stored({ sequence: C }));
    await settled(setup);
    expect(setup.reader.state).toBe('live');
    expectAgreement(setup);
  });

  it('opens no epoch for an idle engine that is asked again', async () => {
    const setup = start();
    const { reader, sink } = setup;
    await settled(setup);
    for (let i = 0; i < 3; i++) {
      reader.checkNow();
      await settled(setup);
    }
    expect(sink.epochs).toHaveLength(1);
    expect(reader.state).toBe('live');
  });

  it('counts batches of another rank', async () => {
    const setup = start(new Engine(), { dpRank: 0 });
    const { engine, reader, warnings } = setup;
    await settled(setup);
    engine.step(stored({ sequence: A }));
    engine.step(stored({ sequence: C }));
    expect(reader.counters.otherRank).toBe(2);
    expect(warnings).toEqual(['expected rank 0, got events of 1']);
  });

  it('ends with what the engine holds after any losses, restarts and repetitions', async () => {
    const action = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('step' as const), sequence: sequences }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), sequence: sequences }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('lose' as const), sequence: sequences }) },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constantFrom('repeat', 'clear', 'restart', 'flap', 'wait', 'silence') }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 40 }), async (actions) => {
        const setup = start();
        const { engine, reader } = setup;
        for (const step of actions) {
          if ('sequence' in step) {
            const event =
              step.do === 'remove'
                ? removed([step.sequence.length], step.sequence)
                : stored({ sequence: step.sequence });
            if (step.do === 'lose') engine.make(event);
            else engine.step(event);
          } else if (step.do === 'clear') engine.step({ kind: 'cleared' });
          else if (step.do === 'wait') await settled(setup);
          else if (step.do === 'silence') engine.answers.push(SILENT);
          else if (step.do === 'repeat') {
            const last = engine.published.at(-1);
            engine.connect();
            if (last !== undefined) engine.deliver(last);
          } else {
            engine.disconnect();
            if (step.do === 'restart') engine.restart();
            engine.connect();
          }
        }
        engine.step(stored({ sequence: [99] }));
        await settled(setup);
        expectAgreement(setup);
        expect(reader.state).toBe('live');
        expect(reader.counters.losses).toBe(0);
        reader.close();
      }),
      { seed: 42, numRuns: 40 },
    );
  });
});

const sequences = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 });
