import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { JsonCursor } from './json-cursor.ts';

const cursorOver = (json: string): JsonCursor => new JsonCursor(Buffer.from(json));

describe('JsonCursor', () => {
  it('begins behind a byte order mark', () => {
    const cursor = cursorOver('\ufeff {"a": 1}');
    const read: unknown[] = [];
    cursor.members((key) => read.push(key, cursor.value()));
    expect(read).toEqual(['a', 1]);
  });

  it('reads members, and leaves out any value without losing its place', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.boolean(), (object, spaced) => {
        const cursor = cursorOver(JSON.stringify(object, null, spaced ? 2 : 0));
        const read: [string, unknown][] = [];
        let odd = false;
        cursor.members((key) => {
          odd = !odd;
          if (odd) read.push([key, cursor.value()]);
          else cursor.skip();
        });
        const entries = Object.entries(JSON.parse(JSON.stringify(object)) as object);
        expect(read).toEqual(entries.filter((_, i) => i % 2 === 0));
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('finds the end of strings of any length, with quotes and backslashes in every place', () => {
    const unit = fc.constantFrom('"', '\\', '\\\\"', 'a', 'long stretch without anything special in it, at all', '\n');
    fc.assert(
      fc.property(fc.array(fc.array(unit).map((units) => units.join(''))), (texts) => {
        const cursor = cursorOver(JSON.stringify(texts));
        const read: string[] = [];
        cursor.elements((i) => {
          if (i % 2 === 0) read.push(cursor.string());
          else cursor.skip();
        });
        expect(read).toEqual(texts.filter((_, i) => i % 2 === 0));
      }),
      { seed: 8, numRuns: 300 },
    );
  });

  it('says where values stand, and goes on where it is told', () => {
    const cursor = cursorOver('[ {"a": "]"} , 2]');
    const places: (readonly [number, number])[] = [];
    cursor.elements(() => {
      const start = cursor.start();
      if (start === 2) cursor.jump(12);
      else cursor.skip();
      places.push([start, cursor.end]);
    });
    expect(places).toEqual([
      [2, 12],
      [15, 16],
    ]);
  });

  it('reads elements, texts as they are written, and strings with escapes', () => {
    const cursor = cursorOver(' [ "a\\u00e9\\"" , 1.50 , {"x": [ ]} ] ');
    const seen: unknown[] = [];
    cursor.elements((i) => seen.push(i === 0 ? cursor.string() : cursor.text()));
    expect(seen).toEqual(['aé"', '1.50', '{"x": [ ]}']);
    expect(cursorOver('  {').peek()).toBe('{');
  });

  it.each([
    ['[1]', 'an object'],
    ['{"a" 1}', "':'"],
    ['{"a": 1', "',' or '}'"],
    ['{"a": "x', 'the end of a string'],
    ['{"a": "x\\"', 'the end of a string'],
    [`{"a": "${'x'.repeat(100)}\\"`, 'the end of a string'],
    ['{"a"\u000b: 1}', "':'"],
    ['{1: 2}', 'a string'],
    ['{"a":', 'a value'],
  ])('says what it expected in %s', (json, expected) => {
    const cursor = cursorOver(json);
    expect(() => cursor.members(() => cursor.skip())).toThrow(`expected ${expected} at byte`);
  });
});
