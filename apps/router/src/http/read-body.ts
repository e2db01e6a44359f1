import type { IncomingMessage } from 'node:http';
import { freeBytes } from '../request/free-bytes.ts';
import type { Problem } from './problem.ts';
import { bodyTooLarge, tooManyRequests, unsupportedEncoding } from './problem.ts';

export type ReadBody =
  | { readonly kind: 'body'; readonly body: Buffer }
  | { readonly kind: 'problem'; readonly problem: Problem }
  /** The client left while it sent. */
  | { readonly kind: 'aborted' };

/** Bytes of request bodies held at one time, over all requests. One writer: the event loop. */
export class BodyBudget {
  readonly limitBytes: number;
  heldBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }
}

/**
 * Reads a request body of at most `maxBytes`. What is too large is refused as soon as that is known; the rest of it is
 * read and dropped by the server, so that the client gets the answer instead of a broken pipe. Bytes read count in
 * `budget` until the caller takes them out.
 */
export async function readBody(request: IncomingMessage, maxBytes: number, budget: BodyBudget): Promise<ReadBody> {
  const encoding = request.headers['content-encoding'] ?? '';
  if (encoding !== '' && encoding.toLowerCase() !== 'identity') return refused(request, unsupportedEncoding(encoding));
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return refused(request, bodyTooLarge(maxBytes));
  return collect(request, maxBytes, budget);
}

function refused(request: IncomingMessage, problem: Problem): ReadBody {
  request.resume();
  return { kind: 'problem', problem };
}

function collect(request: IncomingMessage, maxBytes: number, budget: BodyBudget): Promise<ReadBody> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve) => {
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      budget.heldBytes += chunk.length;
      if (length > maxBytes) finish(refused(request, bodyTooLarge(maxBytes)));
      else if (budget.heldBytes > budget.limitBytes) finish(refused(request, tooManyRequests(BUDGET_SPENT)));
      else chunks.push(chunk);
    };
    const onEnd = (): void => finish({ kind: 'body', body: joined(chunks, length) });
    // A client that leaves emits both; whichever is first ends the wait.
    const onGone = (): void => finish({ kind: 'aborted' });

    function finish(result: ReadBody): void {
      request.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone);
      request.on('error', ignore);
      if (result.kind !== 'body') budget.heldBytes -= length;
      resolve(result);
    }
    request.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone);
  });
}

/** The body of its chunks, which nobody else has and which are gone then. */
function joined(chunks: readonly Buffer[], length: number): Buffer {
  if (chunks.length === 1) return chunks[0]!;
  const body = Buffer.concat(chunks, length);
  for (const chunk of chunks) freeBytes(chunk);
  return body;
}

const BUDGET_SPENT = 'Too many request bytes are being handled';
const ignore = (): void => undefined;
