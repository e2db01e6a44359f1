import type { IncomingMessage } from 'node:http';
import type { Problem } from './problem.ts';
import { badRequest, bodyTooLarge, tooManyRequests, unsupportedEncoding } from './problem.ts';

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
export function readBody(request: IncomingMessage, maxBytes: number, budget: BodyBudget): Promise<ReadBody> {
  return new Promise((resolve) => {
    const encoding = request.headers['content-encoding'];
    const announced = Number(request.headers['content-length'] ?? 0);
    if (encoding !== undefined && encoding !== 'identity') return refuse(unsupportedEncoding(encoding));
    if (announced > maxBytes) return refuse(bodyTooLarge(maxBytes));
    const chunks: Buffer[] = [];
    let length = 0;

    function refuse(problem: Problem): void {
      finish({ kind: 'problem', problem });
      request.resume();
    }
    function onData(chunk: Buffer): void {
      length += chunk.length;
      budget.heldBytes += chunk.length;
      if (length > maxBytes) refuse(bodyTooLarge(maxBytes));
      else if (budget.heldBytes > budget.limitBytes)
        refuse(tooManyRequests('Too many request bytes are being handled'));
      else chunks.push(chunk);
    }
    function onEnd(): void {
      finish({ kind: 'body', body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length) });
    }
    function onClose(): void {
      finish({ kind: 'aborted' });
    }
    function onError(): void {
      finish(request.destroyed ? { kind: 'aborted' } : { kind: 'problem', problem: badRequest('The body is broken') });
    }
    function finish(result: ReadBody): void {
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onError);
      // A body cut short still emits an error once; nobody is left to whom it matters.
      request.on('error', ignore);
      if (result.kind !== 'body') budget.heldBytes -= length;
      resolve(result);
    }
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onError);
  });
}

const ignore = (): void => undefined;
