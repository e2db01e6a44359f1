import { connect } from 'node:net';

/** An answer as it came over the socket. */
export interface RawAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly allow: string | null;
  /** The body; of a chunked one, its chunks joined. */
  readonly body: string;
  /** The chunks of a chunked body, else null. */
  readonly chunks: readonly string[] | null;
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | null;
}

/** Sends one request on its own connection and reads until the server closes it. */
export function rawRequest(url: string, request: RawRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const body = Buffer.from(request.body ?? '');
  const headers: Record<string, string> = { host: hostname, connection: 'close', ...request.headers };
  if (request.method !== 'GET') headers['content-length'] = String(body.length);
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const received: Buffer[] = [];
    socket.on('data', (data) => received.push(data));
    socket.on('error', reject);
    socket.on('close', () => {
      try {
        resolve(parseAnswer(Buffer.concat(received)));
      } catch (error) {
        reject(error as Error);
      }
    });
    socket.write(`${request.method} ${request.path} HTTP/1.1\r\n${head.join('')}\r\n`);
    socket.write(body);
  });
}

function parseAnswer(bytes: Buffer): RawAnswer {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) throw new Error('the connection ended before the answer did');
  const [statusLine, ...lines] = bytes.subarray(0, end).toString().split('\r\n');
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const body = bytes.subarray(end + 4);
  const chunks = headers.get('transfer-encoding') === 'chunked' ? dechunk(body) : null;
  return {
    status: Number(statusLine!.split(' ')[1]),
    contentType: headers.get('content-type') ?? null,
    allow: headers.get('allow') ?? null,
    body: chunks === null ? body.toString() : chunks.join(''),
    chunks,
  };
}

function dechunk(bytes: Buffer): string[] {
  const chunks: string[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) throw new Error('a chunked answer without its end');
    const length = parseInt(bytes.subarray(at, lineEnd).toString(), 16);
    if (length === 0) return chunks;
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + length).toString());
    at = lineEnd + 2 + length + 2;
  }
}
