import { describe, expect, it } from '@jest/globals';
import type { TraceSpan } from '@sluice/contracts';
import { axisDuration, bytes, difference, duration, percent, rate, short } from './format.ts';
import { EventStreamParser } from './net/event-stream.ts';
import { waterfallOf } from './state/waterfall.ts';
import { cellAt, layOut } from './views/map-layout.ts';

describe('EventStreamParser', () => {
  const text = ': hello\n\nevent: tick\ndata: {"a":1}\n\ndata: one\ndata:two\r\n\r\ndata: ä\n\n';

  it('finds the same events however the text is cut', () => {
    for (let size = 1; size <= text.length; size++) {
      const parser = new EventStreamParser();
      const found: string[] = [];
      for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
      expect(found).toEqual(['{"a":1}', 'one\ntwo', 'ä']);
    }
  });

  it('keeps an event that is not whole', () => {
    const parser = new EventStreamParser();
    expect([parser.push('data: x\n'), parser.push('\n')]).toEqual([[], ['x']]);
  });
});

describe('format', () => {
  it('writes numbers for people', () => {
    expect([null, 0, 9.96, 999.6, 9999, 10_000, 119_990, 600_000, 1e7].map(duration)).toEqual([
      '–',
      '0.0 ms',
      '10.0 ms',
      '1,000 ms',
      '9,999 ms',
      '10.0 s',
      '120.0 s',
      '10 min',
      '2.8 h',
    ]);
    expect([-3, 12].map(difference)).toEqual(['−3.0 ms', '+12 ms']);
    expect([0, 250, 2000, 1500].map(axisDuration)).toEqual(['0', '250 ms', '2 s', '1.5 s']);
    expect([null, 0, 0.004, 0.5, 1].map(percent)).toEqual(['–', '0%', '<1%', '50%', '100%']);
    expect([999, 12_345, 123_456, 1_234_567, 2e9].map(short)).toEqual(['999', '12.3k', '123k', '1.23M', '2.00G']);
    expect([null, 3.14159, 250.4].map(rate)).toEqual(['–', '3.1', '250']);
    expect([100, 2048, 5 * 1024 ** 2, 3.5 * 1024 ** 3].map(bytes)).toEqual([
      '100 B',
      '2.00 KiB',
      '5.00 MiB',
      '3.50 GiB',
    ]);
  });
});

describe('waterfallOf', () => {
  const span = (spanId: string, parentSpanId: string | null, startMs: number, durationMs: number): TraceSpan => ({
    traceId: 't',
    spanId,
    parentSpanId,
    name: spanId,
    kind: 'internal',
    service: 's',
    startMs,
    durationMs,
    status: 'ok',
    statusMessage: null,
    attributes: {},
    events: [],
    links: [],
  });

  it('puts spans below those that they belong to, once, to one scale', () => {
    const spans = [
      span('c', 'b', 130, 20),
      span('a', 'client', 100, 100),
      span('b', 'a', 120, 40),
      span('b', 'a', 120, 40),
      span('z', 'a', 110, 0),
    ];
    const { startMs, durationMs, rows } = waterfallOf(spans);
    expect([startMs, durationMs]).toEqual([100, 100]);
    expect(rows.map((row) => [row.span.spanId, row.depth, row.from, row.to])).toEqual([
      ['a', 0, 0, 1],
      ['z', 1, 0.1, 0.1],
      ['b', 1, 0.2, 0.6],
      ['c', 2, 0.3, 0.5],
    ]);
    expect(waterfallOf([])).toEqual({ startMs: 0, durationMs: 0, rows: [] });
  });
});

describe('layOut', () => {
  const group = (rows: number, first = 0) => ({
    pool: 'p',
    role: 'both',
    variant: 'v',
    rows: Array.from({ length: rows }, (_, i) => first + i),
  });

  it('gives every worker a cell of its own inside the strip, and finds it again', () => {
    for (const [n, width] of [
      [20, 800],
      [1000, 1400],
      [1000, 320],
      [5000, 1000],
    ] as const) {
      const layout = layOut([group(n), group(30, n)], width);
      expect(layout.cells).toHaveLength(n + 30);
      expect(new Set(layout.cells.map(({ x, y }) => `${x},${y}`)).size).toBe(n + 30);
      for (const { x, y, row } of layout.cells.filter((_, i) => i % 97 === 0)) {
        expect(x + layout.cell).toBeLessThanOrEqual(width);
        expect(y + layout.cell).toBeLessThanOrEqual(layout.height);
        expect(cellAt(layout, x + 1, y + 1)).toBe(row);
      }
      expect(cellAt(layout, width + 50, 30)).toBeNull();
    }
  });
});
