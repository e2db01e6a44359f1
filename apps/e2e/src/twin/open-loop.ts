import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Usage } from '@sluice/testkit';

/** A request to be sent at its time, whatever became of those before. */
export interface Due {
  /** Milliseconds from the start. */
  readonly atMs: number;
  readonly body: Buffer;
}

/** What the client saw of it. Milliseconds from the start. */
export interface Served {
  readonly sentMs: number;
  /** First byte of the answer's body: the first token. */
  readonly firstMs: number;
  readonly endMs: number;
  readonly worker: string;
  readonly decisionId: string;
  readonly usage: Usage;
}

const TAIL_CHARACTERS = 4096;

/** POSTs every body to `url` at its time and reads the streams to their ends. @throws Error when one is not served whole. */
export async function sendOpenLoop(url: string, dues: readonly Due[]): Promise<Served[]> {
  const agent = new Agent({ keepAlive: true });
  const startMs = performance.now();
  try {
    return await Promise.all(
      dues.map(async ({ atMs, body }) => {
        await new Promise((resolve) => setTimeout(resolve, atMs - (performance.now() - startMs)));
        return send(url, body, agent, startMs);
      }),
    );
  } finally {
    agent.destroy();
  }
}

function send(url: string, body: Buffer, agent: Agent, startMs: number): Promise<Served> {
  return new Promise((resolve, reject) => {
    const sentMs = performance.now() - startMs;
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const outgoing = request(url, { method: 'POST', agent, headers }, (answer) => {
      read(answer, sentMs, startMs).then(resolve, reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

async function read(answer: IncomingMessage, sentMs: number, startMs: number): Promise<Served> {
  let firstMs = NaN;
  let tail = '';
  for await (const chunk of answer.setEncoding('utf8')) {
    if (Number.isNaN(firstMs)) firstMs = performance.now() - startMs;
    tail = (tail + (chunk as string)).slice(-TAIL_CHARACTERS);
  }
  const endMs = performance.now() - startMs;
  const usage = usageIn(tail);
  if (answer.statusCode !== 200 || usage === null) throw new Error(`answered ${answer.statusCode}: ${tail}`);
  const header = (name: string): string => String(answer.headers[name]);
  return {
    sentMs,
    firstMs,
    endMs,
    worker: header('x-sluice-worker'),
    decisionId: header('x-sluice-decision-id'),
    usage,
  };
}

/** Usage of a stream that came to its end, from its last characters. */
function usageIn(tail: string): Usage | null {
  if (!tail.trimEnd().endsWith('data: [DONE]')) return null;
  const line = tail.split('\n').findLast((text) => text.startsWith('data: {'));
  return line === undefined ? null : (JSON.parse(line.slice(6)) as { usage: Usage | null }).usage;
}
