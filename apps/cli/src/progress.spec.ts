import { describe, expect, it } from '@jest/globals';
import { createProgress } from './progress.ts';

describe('progress', () => {
  it('shows share, time left and label on a terminal, within its width', () => {
    const written: string[] = [];
    let nowMs = 1000;
    const terminal = { isTTY: true, columns: 60, write: (text: string) => written.push(text) };
    const progress = createProgress(terminal, () => nowMs);
    progress.update(0, 'p2c, seed 1');
    nowMs += 30_000;
    progress.update(0.25, 'p2c, seed 1');
    expect(written[0]).toContain('  0 %  p2c');
    expect(written[1]).toContain(' 25 %, 1 min 30 s left  p2c');
    progress.update(0.5, 'x'.repeat(100));
    for (const text of written) expect(text.replace('\r\x1b[2K', '').length).toBeLessThan(60);
    progress.end();
    expect(written.at(-1)).toBe('\r\x1b[2K');
  });

  it('writes nothing where there is no terminal', () => {
    const written: string[] = [];
    const progress = createProgress({ write: (text: string) => written.push(text) }, () => 0);
    progress.update(0.5, 'p2c');
    progress.end();
    expect(written).toEqual([]);
  });
});
