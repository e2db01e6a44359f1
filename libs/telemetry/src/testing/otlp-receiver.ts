import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TraceSpan } from '@sluice/contracts';
import { decodeOtlpSpans } from '../tracing/otlp-spans.ts';

/** A receiver of OTLP over HTTP, as a collector is one. */
export interface OtlpReceiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  /** Everything received so far. */
  readonly spans: readonly TraceSpan[];
  /** Requests received, refused ones too. */
  readonly requests: number;
  /** Status of its answers from now on; 0: it hangs up. */
  answerWith(status: number): void;
  close(): Promise<void>;
}

/** Starts a receiver on a free port of 127.0.0.1. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: TraceSpan[] = [];
  let requests = 0;
  let status = 200;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      requests++;
      if (status === 0) {
        request.socket.destroy();
        return;
      }
      const isOtlp = request.url === '/v1/traces' && request.headers['content-type'] === 'application/x-protobuf';
      if (isOtlp && status === 200) spans.push(...decodeOtlpSpans(Buffer.concat(chunks)));
      response.writeHead(isOtlp ? status : 404, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    get requests() {
      return requests;
    },
    answerWith: (next) => {
      status = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
