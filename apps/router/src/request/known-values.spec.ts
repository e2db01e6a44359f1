import { describe, expect, it } from '@jest/globals';
import { KnownValues } from './known-values.ts';

const KB = 1024;
const text = (name: string, bytes: number): Buffer => {
  const json = JSON.stringify({ name, filler: '' });
  return Buffer.from(`${json.slice(0, -2)}${'x'.repeat(bytes - json.length)}"}`);
};

/** Parsed so often that it is kept. */
function teach(known: KnownValues, bytes: Buffer): void {
  for (let i = 0; i < 2; i++) known.parsed(bytes, 0, bytes.length, JSON.parse(bytes.toString()));
}

describe('KnownValues', () => {
  it('finds a text wherever it stands, and only whole', () => {
    const known = new KnownValues(100 * KB);
    const a = text('a', 2 * KB);
    teach(known, a);
    const body = Buffer.concat([Buffer.from('[1, '), a, Buffer.from(', 2]')]);
    expect(known.find(body, 4)).toEqual({ value: JSON.parse(a.toString()), end: 4 + 2 * KB });
    expect(known.find(body, 5)).toBeNull();
    expect(known.find(body.subarray(0, 4 + 2 * KB - 1), 4)).toBeNull();
    body[2 * KB]! ^= 1;
    expect(known.find(body, 4)).toBeNull();
  });

  it('tells texts apart that start alike, and keeps eight of them', () => {
    const known = new KnownValues(1000 * KB);
    const alike = Array.from({ length: 10 }, (_, i) => text('same', 2 * KB + i));
    for (const one of alike) teach(known, one);
    expect(alike.map((one) => known.find(one, 0)?.end ?? null)).toEqual([
      null,
      null,
      ...alike.slice(2).map(({ length }) => length),
    ]);
  });

  it('stays within its bytes, and lets go what was not used for longest', () => {
    const known = new KnownValues(10 * KB);
    const texts = ['a', 'b', 'c', 'd'].map((name) => text(name, 4 * KB));
    teach(known, texts[0]!);
    teach(known, texts[1]!);
    expect(known.find(texts[0]!, 0)).not.toBeNull();
    teach(known, texts[2]!);
    expect([known.heldBytes, known.evicted]).toEqual([8 * KB, 1]);
    expect(texts.map((one) => known.find(one, 0) !== null)).toEqual([true, false, true, false]);
    teach(known, text('too long', 11 * KB));
    expect([known.heldBytes, known.evicted]).toEqual([8 * KB, 1]);
  });

  it('keeps no short text, and none that came once', () => {
    const known = new KnownValues(100 * KB);
    const [short, once] = [text('a', KnownValues.MIN_BYTES - 1), text('b', 2 * KB)];
    teach(known, short);
    known.parsed(once, 0, once.length, {});
    expect([known.heldBytes, known.find(once, 0)]).toEqual([0, null]);
  });
});
