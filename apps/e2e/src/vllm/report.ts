import { mkdir, writeFile } from 'node:fs/promises';
import { arch, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { repoRoot } from '@sluice/testkit';

const REPORT = join(repoRoot, 'docs/verification/e2e-vllm.md');

/** Lines of results by section, printed and kept as a page of the documentation. */
export class Report {
  readonly #sections: { readonly title: string; readonly lines: string[] }[] = [];

  add(title: string, ...lines: string[]): void {
    this.#sections.push({ title, lines });
    console.log([title, ...lines.map((line) => `  ${line}`)].join('\n'));
  }

  /** How many sections there are so far. */
  get sections(): number {
    return this.#sections.length;
  }

  /** Writes the page. */
  async write(engineVersion: string): Promise<void> {
    const { model } = cpus()[0]!;
    const page = [
      '# Real engines',
      '',
      'What `npm run e2e:vllm` measured last: two unmodified vLLM engines (CPU, tiny model with random weights and',
      "Qwen3's tokenizer) behind every service as a process of its own, on nats-server and redis-server. 300 chats of 16",
      'applications with system prompts of 600 tokens and conversations of up to four turns, in several scripts and with',
      'tools; the caches are such that about half of the applications fit into one engine. The client that sends one at a',
      'time pauses for 150 ms after an answer: without that, events of the last request may still be under way.',
      '',
      `- Date: ${new Date().toISOString().slice(0, 10)}`,
      `- vLLM ${engineVersion}, Node ${process.version}, ${cpus().length} cores (${model}, ${arch()})`,
      '- Command: `npm run e2e:vllm`',
      ...this.#sections.flatMap(({ title, lines }) => ['', `## ${title}`, '', ...lines.map((line) => `- ${line}`)]),
      '',
    ].join('\n');
    await mkdir(dirname(REPORT), { recursive: true });
    await writeFile(REPORT, page);
  }
}
