import { type Answer, post, syntheticText } from '@sluice/testkit';
import { MODEL } from './setup.ts';

/** Chat requests at a steady rate, prefixes shared by eight groups, until it is stopped. */
export class Load {
  readonly answers: { readonly answer: Answer; readonly sentMs: number }[] = [];
  readonly #pending = new Set<Promise<unknown>>();
  readonly #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(dataUrl: string, perSecond: number, model = MODEL) {
    this.#timer = setInterval(() => {
      const i = this.#sent++;
      const sentMs = performance.now();
      const request = post(`${dataUrl}/v1/chat/completions`, {
        model,
        stream: true,
        max_tokens: 120,
        messages: [
          { role: 'system', content: syntheticText(2000 + (i % 8), 600) },
          { role: 'user', content: `question ${i}: ${syntheticText(9000 + i, 40)}` },
        ],
      }).then((answer) => this.answers.push({ answer, sentMs }));
      this.#pending.add(request);
      void request.finally(() => this.#pending.delete(request));
    }, 1000 / perSecond);
  }

  /** Sends nothing more; resolves when everything sent is answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
  }

  /** What did not end as it should. */
  get broken(): readonly { readonly answer: Answer; readonly sentMs: number }[] {
    return this.answers.filter(({ answer }) => !answer.complete);
  }
}
