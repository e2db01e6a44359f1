/**
 * The runbook as a page, so that an alert's link leads to its entry wherever the console runs: `#` and the alert's name in
 * lower case. Knows what the runbook is written with, and no more Markdown than that: headings, paragraphs, bold, code, links.
 * @throws Error at a line that it does not know
 */
export function runbookPage(markdown: string): string {
  const blocks = markdown.split(/\n{2,}/).map((block) => block.trim());
  const body = blocks
    .filter((block) => block !== '')
    .map(blockOf)
    .join('\n');
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>Sluice: runbook</title>
    <link rel="icon" href="icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="style.css" />
    <script src="theme.js"></script>
  </head>
  <body class="runbook">
    <p><a href="./">Console</a></p>
${body}
  </body>
</html>
`;
}

function blockOf(block: string): string {
  const lines = block.split('\n');
  if (lines.some((line) => /^(\s*[-*+] |\s*\d+\. |\||```|>|<|!\[)/.test(line))) {
    throw new Error(`the runbook has what its page does not know: ${block}`);
  }
  const [, marks, title] = /^(#{1,3}) (.*)$/.exec(lines[0]!) ?? [];
  if (marks === undefined || title === undefined) return `<p>${paragraphOf(lines)}</p>`;
  const heading = `<h${marks.length} id="${slugOf(title)}">${inline(title)}</h${marks.length}>`;
  return lines.length === 1 ? heading : `${heading}\n<p>${paragraphOf(lines.slice(1))}</p>`;
}

/** Means, See and Do begin lines of their own. */
const paragraphOf = (lines: readonly string[]): string =>
  lines.map((line, i) => (i > 0 && line.startsWith('**') ? '<br />' : '') + inline(line)).join('\n');

const slugOf = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .replace(/\s+/g, '-');

/** Code is taken as it stands; links to other pages of the documentation lead nowhere here and are text. */
const inline = (text: string): string =>
  escaped(text)
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? `<code>${part.slice(1, -1)}</code>` : styled(part)))
    .join('');

const styled = (text: string): string =>
  text
    .replace(/\[([^\]]*)\]\((#[\w-]+)\)/g, '<a href="$2">$1</a>')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
    .replace(/\*([^*]+)\*/g, '<em>$1</em>');

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
