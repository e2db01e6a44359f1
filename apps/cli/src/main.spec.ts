import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

describe('the command line as a process', () => {
  it('ends as it would have when nobody reads what it says any more', async () => {
    const args = ['--conditions=@sluice/source', '--no-warnings', MAIN, 'simulate', '--help'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    const [said, [code, signal]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect([said, code, signal]).toEqual(['', 0, null]);
  });
});
