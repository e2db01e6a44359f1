import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { SimulatedRequest } from '@sluice/twin';
import type { PromptText } from './prompt-text.ts';
import type { Client, Seen } from './send.ts';

/** One request of the run; times in milliseconds from its start. */
export interface Sample extends Seen {
  /** When it was due. Latency counts from here: a client that is late must not make the server look better. */
  readonly dueMs: number;
  readonly outputTokens: number;
}

export interface Counts {
  readonly sent: number;
  readonly done: number;
  readonly failed: number;
}

/** What a run yielded, and how well the client kept its own time. */
export interface RunResult {
  readonly samples: readonly Sample[];
  /** Longest delays of the client's own event loop, milliseconds: 99th percentile and most. */
  readonly loopDelayMs: { readonly p99: number; readonly max: number };
  /** The run was stopped before all requests were sent. */
  readonly stopped: boolean;
}

export interface RunOptions {
  readonly requests: readonly SimulatedRequest[];
  readonly model: string;
  readonly ignoreEos: boolean;
  readonly prompts: PromptText;
  readonly client: Client;
  readonly nowMs: () => number;
  /** Ends the sending; what is under way is still waited for. */
  readonly stop: AbortSignal;
  readonly onProgress: (counts: Counts) => void;
}

/** Looks at the clock at least this often, so that a run can be stopped and shows its progress. */
const TICK_MS = 200;

/** Sends every request at its time, whatever became of those before (open loop), and waits for all answers. */
export async function runLoad(options: RunOptions): Promise<RunResult> {
  const { requests, client, nowMs, stop, onProgress } = options;
  const loop = monitorEventLoopDelay({ resolution: 5 });
  const samples: Sample[] = [];
  const open = new Set<Promise<void>>();
  let failed = 0;
  let sent = 0;
  const tell = (): void => onProgress({ sent, done: samples.length, failed });
  const ticker = setInterval(tell, TICK_MS);
  loop.enable();
  for (const [index, request] of requests.entries()) {
    // Made before it is due: writing a long prompt takes a millisecond.
    const body = bodyOf(request, index, options);
    await untilDue(request.arrivalMs, nowMs, stop);
    if (stop.aborted) break;
    sent++;
    const answered = client.send(body).then((seen) => {
      if (seen.failure !== null) failed++;
      samples.push({ ...seen, dueMs: request.arrivalMs, outputTokens: request.outputTokens });
      open.delete(answered);
    });
    open.add(answered);
  }
  await Promise.all(open);
  loop.disable();
  clearInterval(ticker);
  tell();
  return {
    samples,
    // The histogram counts whole intervals, the resolution included.
    loopDelayMs: { p99: loop.percentile(99) / 1e6, max: loop.max / 1e6 },
    stopped: sent < requests.length,
  };
}

function bodyOf(request: SimulatedRequest, index: number, { prompts, model, ignoreEos }: RunOptions): Buffer {
  const body = {
    model,
    messages: [{ role: 'user', content: prompts.of(request, index) }],
    max_tokens: request.outputTokens,
    ...(ignoreEos ? { ignore_eos: true } : {}),
    stream: true,
    stream_options: { include_usage: true },
  };
  return Buffer.from(JSON.stringify(body));
}

async function untilDue(dueMs: number, nowMs: () => number, stop: AbortSignal): Promise<void> {
  for (let leftMs = dueMs - nowMs(); leftMs > 0 && !stop.aborted; leftMs = dueMs - nowMs()) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, TICK_MS)));
  }
}
