/** Tokens as the server counts them. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number | null } | null;
}

/** Enough for the event with the usage and those beside it. */
const TAIL_CHARACTERS = 8192;

/**
 * Follows the events of a streamed chat completion: when the first token came, and how it ended. After the first token
 * events are not parsed any more, only the last ones are kept: a client must not be slower than what it measures.
 */
export class AnswerReader {
  /** Milliseconds as given to {@link push}; null before. */
  firstMs: number | null = null;
  lastMs: number | null = null;
  #tail = '';

  push(text: string, nowMs: number): void {
    this.#tail += text;
    if (this.firstMs === null) {
      if (!hasContent(this.#tail)) return;
      this.firstMs = nowMs;
    }
    this.lastMs = nowMs;
    if (this.#tail.length > TAIL_CHARACTERS) this.#tail = this.#tail.slice(-TAIL_CHARACTERS);
  }

  /** How the stream ended, once it has. */
  end(): { readonly usage: Usage | null; readonly problem: string | null } {
    let usage: Usage | null = null;
    let problem: string | null = null;
    let done = false;
    for (const data of eventsIn(this.#tail)) {
      if (data === '[DONE]') done = true;
      const event = parsed(data);
      usage = event?.usage ?? usage;
      if (event?.error !== undefined) problem = `error in the stream: ${event.error.message ?? 'without a message'}`;
    }
    return { usage, problem: problem ?? (done ? null : 'stream without an end') };
  }
}

interface StreamEvent {
  readonly choices?: readonly {
    readonly delta?: Readonly<Record<string, unknown>>;
    readonly finish_reason?: unknown;
  }[];
  readonly usage?: Usage | null;
  readonly error?: { readonly message?: string };
}

/** Whether an event carries something of the answer: text, reasoning, a tool call, or its end. Roles do not count. */
function hasContent(text: string): boolean {
  return eventsIn(text).some((data) => {
    const choice = parsed(data)?.choices?.[0];
    if (choice === undefined) return false;
    if (choice.finish_reason) return true;
    return Object.entries(choice.delta ?? {}).some(
      ([key, value]) => key !== 'role' && (typeof value === 'string' ? value !== '' : Array.isArray(value)),
    );
  });
}

const eventsIn = (text: string): string[] =>
  text.split('\n').flatMap((line) => (line.startsWith('data: ') ? [line.slice(6).trimEnd()] : []));

function parsed(data: string): StreamEvent | null {
  if (!data.startsWith('{')) return null;
  try {
    return JSON.parse(data) as StreamEvent;
  } catch {
    return null;
  }
}
