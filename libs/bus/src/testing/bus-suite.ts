import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defineDatagram, defineRequest, defineStream, defineSubject } from '@sluice/contracts';
import type { StreamSubject } from '@sluice/contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Bus } from '../bus.ts';
import { eventually } from './eventually.ts';

/** Two buses that reach each other; the same one twice where there is only one. */
export interface BusPair {
  readonly here: Bus;
  readonly there: Bus;
  close(): Promise<void>;
}

const note = defineSubject('note.v1', z.strictObject({ n: z.number(), tag: z.string().default('none') }));
const other = defineSubject('other.v1', z.strictObject({ text: z.string() }));
const square = defineRequest('square.v1', z.strictObject({ n: z.number() }), z.strictObject({ n: z.number() }));
let streams = 0;
/** A stream that no other test uses. */
const freshStream = (): StreamSubject => defineStream(`suite${process.pid}_${streams++}.v1`, ['pool', 'worker']);

const bytesOf = (n: number): Uint8Array => new Uint8Array(new Float64Array([n]).buffer);
const numberOf = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);

/** What every {@link Bus} does. `factory` gives fresh buses for each test. */
export function busSuite(name: string, factory: () => Promise<BusPair>): void {
  describe(`bus: ${name}`, () => {
    let pair: BusPair;
    let here: Bus;
    let there: Bus;

    beforeEach(async () => {
      pair = await factory();
      ({ here, there } = pair);
    });
    afterEach(() => pair.close());

    /** Resolves when what `there` subscribed to before is in force. */
    const settled = async (): Promise<void> => {
      const marker = defineSubject('marker.v1', z.strictObject({}));
      let seen = false;
      const end = there.subscribe(marker, () => (seen = true));
      await eventually(() => {
        here.publish(marker, {});
        return seen;
      });
      end();
    };

    describe('publish and subscribe', () => {
      it('delivers to every subscriber, in order, later', async () => {
        const first: number[] = [];
        const second: number[] = [];
        there.subscribe(note, (payload) => first.push(payload.n));
        there.subscribe(note, (payload) => second.push(payload.n));
        await settled();
        for (let n = 0; n < 200; n++) here.publish(note, { n, tag: 'x' });
        expect(first).toEqual([]);
        await eventually(() => first.length === 200 && second.length === 200);
        expect(first).toEqual(Array.from({ length: 200 }, (_, n) => n));
        expect(second).toEqual(first);
      });

      it('delivers a copy, made when it was published', async () => {
        const seen: unknown[] = [];
        there.subscribe(note, (payload) => seen.push(payload));
        await settled();
        const payload = { n: 1, tag: 'before' };
        here.publish(note, payload);
        payload.tag = 'after';
        await eventually(() => seen.length === 1);
        expect(seen).toEqual([{ n: 1, tag: 'before' }]);
        expect(seen[0]).not.toBe(payload);
      });

      it('drops and counts what does not fit the schema, and fills in defaults', async () => {
        const seen: unknown[] = [];
        there.subscribe(note, (payload) => seen.push(payload));
        await settled();
        const wrong = { ...note, schema: z.any() as unknown as typeof note.schema };
        here.publish(wrong, { n: 'three' } as never);
        here.publish(wrong, { n: 4, extra: true } as never);
        here.publish(wrong, { n: 5 } as never);
        here.publish(note, { n: 6, tag: 'x' });
        await eventually(() => seen.length === 2);
        expect(seen).toEqual([
          { n: 5, tag: 'none' },
          { n: 6, tag: 'x' },
        ]);
        expect(there.counters.invalid).toBe(2);
      });

      it('keeps subjects apart and ends one subscription alone', async () => {
        const ended: number[] = [];
        const kept: number[] = [];
        const texts: string[] = [];
        const end = there.subscribe(note, (payload) => ended.push(payload.n));
        there.subscribe(note, (payload) => kept.push(payload.n));
        there.subscribe(other, (payload) => texts.push(payload.text));
        await settled();
        here.publish(note, { n: 1, tag: '' });
        await eventually(() => ended.length === 1);
        end();
        here.publish(note, { n: 2, tag: '' });
        here.publish(other, { text: 'a' });
        await eventually(() => texts.length === 1);
        expect(kept).toEqual([1, 2]);
        expect(ended).toEqual([1]);
      });

      it('carries the context of a trace beside the payload, in order with messages that have none', async () => {
        const seen: unknown[] = [];
        there.subscribe(note, ({ n }, trace) => seen.push([n, trace]));
        await settled();
        const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
        here.publish(note, { n: 1, tag: '' });
        here.publish(note, { n: 2, tag: '' }, { traceparent, tracestate: 'vendor=a,other=b' });
        here.publish(note, { n: 3, tag: '' }, { traceparent, tracestate: null });
        here.publish(note, { n: 4, tag: '' }, null);
        await eventually(() => seen.length === 4);
        expect(seen).toEqual([
          [1, null],
          [2, { traceparent, tracestate: 'vendor=a,other=b' }],
          [3, { traceparent, tracestate: null }],
          [4, null],
        ]);
      });

      it('goes on after a handler that throws', async () => {
        const seen: number[] = [];
        there.subscribe(note, () => {
          throw new Error('bad handler');
        });
        there.subscribe(note, (payload) => seen.push(payload.n));
        await settled();
        here.publish(note, { n: 1, tag: '' });
        here.publish(note, { n: 2, tag: '' });
        await eventually(() => seen.length === 2);
        expect(there.counters.handlerErrors).toBe(2);
      });
    });

    describe('datagrams', () => {
      const position = defineDatagram(`position${process.pid}.v1`, ['pool', 'worker']);

      it('reach every receiver at once with their tokens, in order, also the sender', async () => {
        const seen: string[] = [];
        const own: number[] = [];
        there.receive(position, (tokens, bytes) => seen.push(`${tokens.join('/')} ${numberOf(bytes)}`));
        here.receive(position, (_tokens, bytes) => own.push(numberOf(bytes)));
        await settled();
        for (let n = 0; n < 100; n++) here.send(position, ['p', `w${n % 2}`], bytesOf(n));
        await eventually(() => seen.length >= 100 && own.length >= 100);
        expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => `p/w${n % 2} ${n}`));
        expect(own).toEqual(Array.from({ length: 100 }, (_, n) => n));
      });

      it('go on after a receiver that throws, and end for one alone', async () => {
        const seen: number[] = [];
        const end = there.receive(position, () => {
          throw new Error('bad receiver');
        });
        there.receive(position, (_tokens, bytes) => seen.push(numberOf(bytes)));
        await settled();
        here.send(position, ['p', 'w'], bytesOf(1));
        await eventually(() => seen.length === 1);
        end();
        here.send(position, ['p', 'w'], bytesOf(2));
        await eventually(() => seen.length === 2);
        expect(there.counters.handlerErrors).toBe(1);
      });

      it('are dropped and counted after the end; tokens must fit', async () => {
        expect(() => here.send(position, ['p'], bytesOf(0))).toThrow(RangeError);
        await here.drain();
        here.send(position, ['p', 'w'], bytesOf(1));
        expect(here.counters.publishDropped).toBe(1);
      });
    });

    describe('request and respond', () => {
      it('answers, in or out of order', async () => {
        there.respond(square, async ({ n }) => {
          await sleep(n === 1 ? 30 : 0);
          return { n: n * n };
        });
        await settled();
        const replies = await Promise.all([1, 2, 3].map((n) => here.request(square, { n })));
        expect(replies).toEqual([1, 4, 9].map((n) => ({ kind: 'reply', value: { n } })));
      });

      it('is unavailable when nobody answers', async () => {
        expect(await here.request(square, { n: 1 })).toEqual({
          kind: 'unavailable',
          reason: 'nobody answers square.v1',
        });
      });

      it('is unavailable when time runs out', async () => {
        there.respond(square, async ({ n }) => {
          await sleep(200);
          return { n };
        });
        await settled();
        expect(await here.request(square, { n: 1 }, { timeoutMs: 30 })).toEqual({
          kind: 'unavailable',
          reason: 'no reply within 30 ms',
        });
      });

      it('is unavailable when the responder throws or answers nonsense', async () => {
        there.respond(square, ({ n }) => {
          if (n === 0) throw new Error('cannot square');
          return { n: 'one' } as never;
        });
        await settled();
        expect(await here.request(square, { n: 0 })).toEqual({
          kind: 'unavailable',
          reason: 'the responder failed: cannot square',
        });
        expect(await here.request(square, { n: 1 })).toMatchObject({
          kind: 'unavailable',
          reason: expect.stringMatching(/^invalid reply/),
        });
      });

      it('refuses a request that does not fit', async () => {
        let called = false;
        there.respond(square, ({ n }) => {
          called = true;
          return { n };
        });
        await settled();
        expect(await here.request(square, { n: 'x' } as never)).toMatchObject({
          kind: 'unavailable',
          reason: expect.stringMatching(/^invalid request/),
        });
        expect(called).toBe(false);
      });

      it('asks one of several responders, and no more after they ended', async () => {
        let calls = 0;
        const respond = ({ n }: { n: number }): { n: number } => {
          calls++;
          return { n };
        };
        const ends = [here.respond(square, respond), there.respond(square, respond)];
        await settled();
        for (let n = 0; n < 10; n++) await here.request(square, { n });
        expect(calls).toBe(10);
        for (const end of ends) end();
        await eventually(async () => (await here.request(square, { n: 1 })).kind === 'unavailable');
        expect(calls).toBeLessThan(13);
      });
    });

    describe('streams', () => {
      it('delivers what is appended, in order, with tokens and rising sequences', async () => {
        const stream = freshStream();
        const seen: [string, number, number][] = [];
        there.consume(stream, { from: 'start' }, (tokens, bytes, seq) => {
          seen.push([tokens.join('/'), numberOf(bytes), seq]);
        });
        for (let n = 0; n < 3000; n++) here.append(stream, ['pool', `w${n % 3}`], bytesOf(n));
        await eventually(() => seen.length >= 3000);
        expect(seen.map(([, n]) => n)).toEqual(Array.from({ length: 3000 }, (_, n) => n));
        expect(seen[4]![0]).toBe('pool/w1');
        expect(seen.map(([, , seq]) => seq)).toEqual(Array.from({ length: 3000 }, (_, n) => n + 1));
        // messages reach the consumer before their acknowledgements reach the sender
        await eventually(() => here.counters.appendQueuedBytes === 0);
      });

      it('starts at the start, at what is new, or at a sequence', async () => {
        const stream = freshStream();
        for (let n = 1; n <= 10; n++) here.append(stream, ['p', 'w'], bytesOf(n));
        const all: number[] = [];
        there.consume(stream, { from: 'start' }, (_tokens, bytes) => all.push(numberOf(bytes)));
        await eventually(() => all.length === 10);
        const fromSeven: number[] = [];
        const fresh: number[] = [];
        const beyond: number[] = [];
        there.consume(stream, { from: 7 }, (_tokens, bytes) => fromSeven.push(numberOf(bytes)));
        there.consume(stream, { from: 12 }, (_tokens, bytes) => beyond.push(numberOf(bytes)));
        there.consume(stream, { from: 'new' }, (_tokens, bytes) => fresh.push(numberOf(bytes)));
        await eventually(() => fromSeven.length === 4 && beyond.length === 10);
        await sleep(100);
        here.append(stream, ['p', 'w'], bytesOf(11));
        await eventually(() => fresh.length === 1 && fromSeven.length === 5);
        expect(fresh).toEqual([11]);
        expect(fromSeven).toEqual([7, 8, 9, 10, 11]);
        // A sequence that the stream never reached names another stream: everything is delivered.
        expect(beyond).toEqual(all.slice(0, beyond.length));
      });

      it('filters by tokens', async () => {
        const stream = freshStream();
        const pool: number[] = [];
        const worker: number[] = [];
        there.consume(stream, { from: 'start', filter: ['a', '*'] }, (_t, bytes) => pool.push(numberOf(bytes)));
        there.consume(stream, { from: 'start', filter: ['*', 'w2'] }, (_t, bytes) => worker.push(numberOf(bytes)));
        const sent = [
          ['a', 'w1'],
          ['b', 'w1'],
          ['a', 'w2'],
          ['b', 'w2'],
        ];
        sent.forEach((tokens, n) => here.append(stream, tokens, bytesOf(n)));
        await eventually(() => pool.length === 2 && worker.length === 2);
        expect(pool).toEqual([0, 2]);
        expect(worker).toEqual([2, 3]);
      });

      it('keeps streams apart, and ends one consumer alone', async () => {
        const [one, two] = [freshStream(), freshStream()];
        const seenOne: number[] = [];
        const seenTwo: number[] = [];
        const end = there.consume(one, { from: 'start' }, (_t, bytes) => seenOne.push(numberOf(bytes)));
        there.consume(two, { from: 'start' }, (_t, bytes) => seenTwo.push(numberOf(bytes)));
        here.append(one, ['p', 'w'], bytesOf(1));
        here.append(two, ['p', 'w'], bytesOf(2));
        await eventually(() => seenOne.length === 1 && seenTwo.length === 1);
        end();
        here.append(one, ['p', 'w'], bytesOf(3));
        here.append(two, ['p', 'w'], bytesOf(4));
        await eventually(() => seenTwo.length === 2);
        expect(seenOne).toEqual([1]);
        expect(seenTwo).toEqual([2, 4]);
      });

      it('goes on after a handler that throws', async () => {
        const stream = freshStream();
        const seen: number[] = [];
        there.consume(stream, { from: 'start' }, (_tokens, bytes) => {
          seen.push(numberOf(bytes));
          if (seen.length === 1) throw new Error('bad handler');
        });
        for (let n = 0; n < 3; n++) here.append(stream, ['p', 'w'], bytesOf(n));
        await eventually(() => seen.length === 3);
        expect(seen).toEqual([0, 1, 2]);
        expect(there.counters.handlerErrors).toBe(1);
      });

      it('rejects tokens that do not fit the stream', () => {
        const stream = freshStream();
        expect(() => here.append(stream, ['only-one'], bytesOf(0))).toThrow(RangeError);
        expect(() => here.append(stream, ['a.b', 'c'], bytesOf(0))).toThrow(RangeError);
        expect(() => here.append(stream, ['*', 'c'], bytesOf(0))).toThrow(RangeError);
      });
    });

    describe('drain', () => {
      it('delivers what was appended, then is silent', async () => {
        const stream = freshStream();
        const states: string[] = [];
        here.onState((state) => states.push(state));
        for (let n = 0; n < 500; n++) here.append(stream, ['p', 'w'], bytesOf(n));
        await here.drain();
        expect(here.state()).toBe('disconnected');
        expect(states).toEqual(['disconnected']);
        expect(here.counters.appendQueuedBytes).toBe(0);
        const published = here.counters.published;
        here.publish(note, { n: 1, tag: '' });
        expect(here.counters.published).toBe(published);
        expect(here.counters.publishDropped).toBe(1);
        expect((await here.request(square, { n: 1 })).kind).toBe('unavailable');
        await here.drain();
      });

      it('waits for the requests that it is answering', async () => {
        let answered = false;
        there.respond(square, async ({ n }) => {
          await sleep(100);
          answered = true;
          return { n };
        });
        await settled();
        const reply = here.request(square, { n: 1 });
        await sleep(30);
        await there.drain();
        expect(answered).toBe(true);
        expect((await reply).kind).toBe('reply');
      });
    });
  });
}
