import { stylesOf, widthOf } from '../speaker.ts';
import type { Speaker } from '../speaker.ts';
import { wrapped } from '../text-table.ts';
import type { Finding, Report } from './finding.ts';

const MARKS = { ok: 'ok  ', warning: 'warn', error: 'BAD ' } as const;
const INDENT = 6;

/** What was examined, each part with what is wrong with it below; parts that all is well with first. */
export function reportPage({ examined, findings }: Report, speaker: Speaker): string {
  const { bold, faint, bad } = stylesOf(speaker);
  const width = widthOf(speaker);
  const subjects = new Map(examined.map(({ subject, summary }) => [subject, { summary, own: [] as Finding[] }]));
  for (const each of findings) {
    // Ranks of an engine stand below it.
    const at = [...subjects.keys()].find(
      (subject) => each.subject === subject || each.subject.startsWith(`${subject} rank `),
    );
    const known = at === undefined ? undefined : subjects.get(at);
    if (known !== undefined) known.own.push(each);
    else subjects.set(each.subject, { summary: '', own: [each] });
  }
  const weight = ({ own }: { own: readonly Finding[] }): number =>
    own.length === 0 ? 0 : own.some(({ severity }) => severity === 'error') ? 2 : 1;
  const parts = [...subjects].sort(([, a], [, b]) => weight(a) - weight(b));
  const lines = parts.flatMap(([subject, part]) => {
    const mark = [MARKS.ok, MARKS.warning, MARKS.error][weight(part)]!;
    const head = wrapped(`${mark}  ${subject}${part.summary === '' ? '' : `  ${part.summary}`}`, width, INDENT);
    const style = weight(part) === 0 ? faint : bold;
    return [...head.map(style), ...part.own.flatMap((each) => findingLines(each, subject, width, bad))];
  });
  return `${[...lines, '', verdict(findings)].join('\n')}\n`;
}

function findingLines(
  { code, severity, subject, what, fix }: Finding,
  head: string,
  width: number,
  bad: (text: string) => string,
): string[] {
  const rank = subject === head ? '' : `${subject.slice(head.length + 1)}: `;
  const said = wrapped(`${' '.repeat(INDENT)}${code}: ${rank}${what}`, width, INDENT);
  return [
    ...(severity === 'error' ? said.map(bad) : said),
    ...wrapped(`${' '.repeat(INDENT)}fix: ${fix}`, width, INDENT + 5),
  ];
}

function verdict(findings: readonly Finding[]): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const warnings = findings.length - errors;
  if (findings.length === 0) return 'Nothing is wrong.';
  const counted = (n: number, what: string): string[] => (n === 0 ? [] : [`${n} ${what}${n === 1 ? '' : 's'}`]);
  return `Found ${[...counted(errors, 'error'), ...counted(warnings, 'warning')].join(' and ')}; docs/doctor.md says more of each.`;
}
