import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { runbookPage } from './runbook-page.ts';

describe('runbookPage', () => {
  it('has an entry for every alert of the runbook, where the links of the alerts lead', async () => {
    const text = await readFile(join(import.meta.dirname, '../../../docs/runbook.md'), 'utf8');
    const page = runbookPage(text);
    const alerts = [...text.matchAll(/^### (\w+)$/gm)].map(([, name]) => name!.toLowerCase());
    expect(alerts.length).toBeGreaterThan(20);
    const ids = new Set([...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id));
    expect(alerts.filter((alert) => !ids.has(alert))).toEqual([]);
    const targets = [...page.matchAll(/href="#([^"]*)"/g)].map(([, id]) => id);
    expect(targets.filter((id) => !ids.has(id))).toEqual([]);
    expect(page.replace(/<code>[^<]*<\/code>/g, '')).not.toMatch(/\*\*|\]\(|`/);
  });

  it('writes what is marked, and nothing of it as markup that was none', () => {
    const text =
      '# A & B\n\n## To do\n**Means** (*info*): `a < b` and `**c**`.\n**See**: [x](#x), [docs](metrics.md) <b>';
    const body = /<\/p>\n([\s\S]*)\n {2}<\/body>/.exec(runbookPage(text.replace(' <b>', ' "<b>"')))![1];
    expect(body).toBe(
      [
        '<h1 id="a-b">A &amp; B</h1>',
        '<h2 id="to-do">To do</h2>',
        '<p><strong>Means</strong> (<em>info</em>): <code>a &lt; b</code> and <code>**c**</code>.',
        '<br /><strong>See</strong>: <a href="#x">x</a>, docs &quot;&lt;b&gt;&quot;</p>',
      ].join('\n'),
    );
  });

  it.each(['- a list', '| a | table |', '```\ncode\n```', '1. first'])('refuses %j', (text) => {
    expect(() => runbookPage(`# x\n\n${text}`)).toThrow(/does not know/);
  });
});
