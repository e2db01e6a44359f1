import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SseFramer } from './sse-framer.ts';

const run = (pieces: readonly Buffer[]): { out: Buffer[]; held: Buffer } => {
  const framer = new SseFramer();
  const out = pieces.map((piece) => framer.push(piece)).filter((piece) => piece !== null);
  return { out, held: framer.held ?? Buffer.alloc(0) };
};

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const cuts = [...new Set(at.map((position) => position % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...cuts]
    .map((from, i) => bytes.subarray(from, cuts[i] ?? bytes.length))
    .filter((piece) => piece.length > 0);
}

/** Offsets at which an event may end: behind every blank line, and behind its CR where an LF follows. */
function blankLineEnds(text: string): number[] {
  const ends: number[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== '\r' && text[at] !== '\n') continue;
    const isBlank = at === start;
    if (isBlank && at > 0) ends.push(at + 1);
    if (text[at] === '\r' && text[at + 1] === '\n') {
      at++;
      if (isBlank && at > 1) ends.push(at + 1);
    }
    start = at + 1;
  }
  return ends;
}

describe('SseFramer', () => {
  it('hands on a chunk that ends with an event as it is', () => {
    const chunk = Buffer.from('data: {"a":1}\n\ndata: {"b":2}\n\n');
    const framer = new SseFramer();
    expect(framer.push(chunk)).toBe(chunk);
    expect(framer.held).toBeNull();
  });

  it('holds the event that has begun', () => {
    const framer = new SseFramer();
    expect(String(framer.push(Buffer.from('data: 1\n\ndata: {"x"')))).toBe('data: 1\n\n');
    expect(String(framer.held)).toBe('data: {"x"');
    expect(String(framer.push(Buffer.from(':1}\n')))).toBe('null');
    expect(String(framer.push(Buffer.from('\ndata: 3')))).toBe('data: {"x":1}\n\n');
  });

  it('passes every byte on in order and cuts only between events, wherever the input is cut', () => {
    const event = fc.tuple(fc.constantFrom('\n\n', '\r\n\r\n'), fc.string({ maxLength: 30 })).map(([end, text]) => {
      return `data: ${text.replace(/[\r\n]/g, ' ')}${end}`;
    });
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 8 }),
        fc.string({ maxLength: 10 }),
        fc.array(fc.nat(), { maxLength: 9 }),
        (events, rest, cuts) => {
          const tail = rest.replace(/[\r\n]/g, ' ');
          const whole = Buffer.from(events.join('') + tail);
          const { out, held } = run(cut(whole, cuts));
          expect(Buffer.concat([...out, held]).equals(whole)).toBe(true);
          expect(String(held)).toBe(tail);
          for (const piece of out) expect(String(piece)).toMatch(/(\n\n|\r\n\r\n)$/);
        },
      ),
      { seed: 7, numRuns: 300 },
    );
  });

  it('takes every end of a line for one: the same as a naive reading, wherever the input is cut', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '\r', '\n', '\r\n'), maxLength: 40 }),
        fc.array(fc.nat(), { maxLength: 9 }),
        (text, cuts) => {
          const { out, held } = run(cut(Buffer.from(text), cuts));
          expect(String(Buffer.concat([...out, held]))).toBe(text);
          const ends = blankLineEnds(text);
          let passed = 0;
          for (const piece of out) {
            passed += piece.length;
            expect(ends).toContain(passed);
          }
          // Nothing that is whole is held back; of a last CR LF the LF may be to come.
          expect(String(held).replace(/^[\r\n]+/, '')).not.toMatch(/\r\r|\n\n|\n\r./s);
        },
      ),
      { seed: 5, numRuns: 2000 },
    );
  });

  it('passes an endless event on rather than hold it, and says so until its end has come', () => {
    const framer = new SseFramer();
    let passed = 0;
    for (let i = 0; i < 40; i++) passed += framer.push(Buffer.alloc(16 * 1024, 'x'))?.length ?? 0;
    expect(passed).toBeGreaterThan(256 * 1024);
    expect(framer.held?.length ?? 0).toBeLessThanOrEqual(256 * 1024);
    expect([framer.push(Buffer.alloc(0)), framer.isCut]).toEqual([null, true]);
    framer.push(Buffer.from('x\n\ndata: 2'));
    expect([framer.isCut, String(framer.held)]).toEqual([false, 'data: 2']);
  });
});
