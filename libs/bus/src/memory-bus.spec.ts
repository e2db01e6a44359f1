import { describe, expect, it } from '@jest/globals';
import { defineStream } from '@sluice/contracts';
import { createMemoryBus } from './index.ts';
import { busSuite } from './testing/bus-suite.ts';
import { eventually } from './testing/eventually.ts';

busSuite('memory', async () => {
  const bus = createMemoryBus();
  return { here: bus, there: bus, close: () => bus.drain() };
});

describe('memory bus', () => {
  it('keeps the newest messages of a stream within its bound', async () => {
    const bus = createMemoryBus({ streamMaxBytes: 10 * (64 + 100) });
    const stream = defineStream('bounded.v1', ['n']);
    for (let n = 1; n <= 5000; n++) bus.append(stream, [String(n)], new Uint8Array(100));
    const seen: [string, number][] = [];
    bus.consume(stream, { from: 'start' }, (tokens, _bytes, seq) => seen.push([tokens[0]!, seq]));
    await eventually(() => seen.length === 10);
    expect(seen[0]).toEqual(['4991', 4991]);
    expect(seen[9]).toEqual(['5000', 5000]);
  });

  it('lets other work run between batches of a long stream', async () => {
    const bus = createMemoryBus();
    const stream = defineStream('long.v1', ['n']);
    for (let n = 0; n < 5000; n++) bus.append(stream, ['x'], new Uint8Array(1));
    let consumed = 0;
    bus.consume(stream, { from: 'start' }, () => consumed++);
    const consumedAtTurns: number[] = [];
    while (consumed < 5000) {
      await new Promise((resolve) => setImmediate(resolve));
      consumedAtTurns.push(consumed);
    }
    expect(consumedAtTurns.length).toBeGreaterThan(5);
  });
});
