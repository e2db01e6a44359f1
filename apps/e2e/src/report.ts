import { mkdir, writeFile } from 'node:fs/promises';
import { arch, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { repoRoot } from '@sluice/testkit';

export interface ReportOptions {
  /** Name of the page in `docs/verification`. */
  readonly file: string;
  readonly title: string;
  /** What was measured, in lines. */
  readonly about: readonly string[];
  readonly command: string;
}

/** Lines of results by section, printed and kept as a page of the documentation. */
export class Report {
  readonly #options: ReportOptions;
  readonly #sections: { readonly title: string; readonly lines: readonly string[] }[] = [];

  constructor(options: ReportOptions) {
    this.#options = options;
  }

  add(title: string, ...lines: readonly string[]): void {
    this.#sections.push({ title, lines });
    console.log([title, ...lines.map((line) => `  ${line}`)].join('\n'));
  }

  /** How many sections there are so far. */
  get sections(): number {
    return this.#sections.length;
  }

  /** Writes the page. `versions` of what else took part, such as `vLLM 1.2.3`. */
  async write(...versions: readonly string[]): Promise<void> {
    const { file, title, about, command } = this.#options;
    const { model } = cpus()[0]!;
    const page = [
      `# ${title}`,
      '',
      ...about,
      '',
      `- Date: ${new Date().toISOString().slice(0, 10)}`,
      `- ${[...versions, `Node ${process.version}`].join(', ')}, ${cpus().length} cores (${model}, ${arch()})`,
      `- Command: \`${command}\``,
      ...this.#sections.flatMap(({ title: section, lines }) => [
        '',
        `## ${section}`,
        '',
        ...lines.map((line) => `- ${line}`),
      ]),
      '',
    ].join('\n');
    const path = join(repoRoot, 'docs/verification', file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, page);
  }
}
