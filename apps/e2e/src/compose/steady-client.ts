import { type Answer, post, syntheticText } from '@sluice/testkit';
import { MODEL } from '../setup.ts';

export type Mode = 'streams' | 'whole answers' | 'both';

export interface Sent {
  readonly answer: Answer;
  readonly isStream: boolean;
  /** `performance.now()` when it was sent. */
  readonly sentMs: number;
}

const PER_SECOND = 8;
/** Half a second of an engine that runs at the speed of a real one. */
const OUTPUT_TOKENS = 60;

/** Sends chats at a steady rate, whatever becomes of them, until it is stopped. */
export class SteadyClient {
  readonly answers: Sent[] = [];
  readonly #pending = new Set<Promise<unknown>>();
  readonly #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(dataUrl: string, mode: Mode = 'both') {
    this.#timer = setInterval(() => {
      const i = this.#sent++;
      const isStream = mode === 'streams' || (mode === 'both' && i % 2 === 0);
      const sentMs = performance.now();
      const request = post(`${dataUrl}/v1/chat/completions`, {
        model: MODEL,
        stream: isStream,
        max_tokens: OUTPUT_TOKENS,
        ignore_eos: true,
        messages: [
          { role: 'system', content: syntheticText(2000 + (i % 8), 600) },
          { role: 'user', content: `question ${i}: ${syntheticText(9000 + i, 40)}` },
        ],
      }).then((answer) => this.answers.push({ answer, isStream, sentMs }));
      this.#pending.add(request);
      void request.finally(() => this.#pending.delete(request));
    }, 1000 / PER_SECOND);
  }

  /** Sends nothing more; resolves when everything sent is answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
  }

  /** What did not end as it should. */
  get broken(): readonly Sent[] {
    return this.answers.filter(({ answer }) => !answer.complete);
  }

  /** From the first request that failed to the last one, by when they were sent; 0 when none did. */
  get outageMs(): number {
    const times = this.broken.map(({ sentMs }) => sentMs);
    return times.length === 0 ? 0 : Math.max(...times) - Math.min(...times);
  }
}

/** How one broke, in a line for a report or an error. */
export const describeBroken = ({ answer, isStream }: Sent): string =>
  `${isStream ? 'stream' : 'whole answer'}: status ${answer.status}, ${answer.text.slice(-120)}`;
