import { Pool } from 'undici';
import { ConnectionLine } from './connection-line.ts';
import { PageRead } from './page-read.ts';
import type { GetOutcome } from './page-read.ts';

export interface UpstreamPoolOptions {
  /** Connections per engine; a stream in flight holds one. */
  readonly connections: number;
  readonly connectTimeoutMs: number;
  /** Request sent to response head. Not streamed answers send their head when they are complete. */
  readonly headersTimeoutMs: number;
  /** Longest silence between two pieces of an answer. */
  readonly silenceTimeoutMs: number;
}

/** Kept-alive connections to one engine, and who waits for one. */
export interface EngineConnections {
  readonly http: Pool;
  readonly line: ConnectionLine;
}

/** Kept-alive connections to engines, one undici pool per origin. */
export interface UpstreamPool {
  of(origin: string): EngineConnections;
  /** GET of a small page (metrics, health); never rejects. */
  get(origin: string, path: string, timeoutMs: number): Promise<GetOutcome>;
  /** Closes the pools of origins that are not in `origins`; their requests under way finish first. */
  retain(origins: ReadonlySet<string>): void;
  /** Closes everything; requests in flight are cut. */
  close(): Promise<void>;
}

/** Below the 5 s after which uvicorn and node:http close an idle connection, so that we never write to a closing one. */
const KEEP_ALIVE_MS = 4000;

export function createUpstreamPool(options: UpstreamPoolOptions): UpstreamPool {
  const engines = new Map<string, EngineConnections>();

  const of = (origin: string): EngineConnections => {
    let engine = engines.get(origin);
    if (engine === undefined) {
      const http = new Pool(origin, {
        connections: options.connections,
        pipelining: 1,
        connectTimeout: options.connectTimeoutMs,
        headersTimeout: options.headersTimeoutMs,
        bodyTimeout: options.silenceTimeoutMs,
        keepAliveTimeout: KEEP_ALIVE_MS,
      });
      engine = { http, line: new ConnectionLine(options.connections) };
      engines.set(origin, engine);
    }
    return engine;
  };

  return {
    of,
    get: (origin, path, timeoutMs) =>
      new Promise((resolve) => of(origin).http.dispatch({ method: 'GET', path }, new PageRead(timeoutMs, resolve))),
    retain(origins) {
      for (const [origin, { http }] of engines) {
        if (origins.has(origin)) continue;
        engines.delete(origin);
        void http.close();
      }
    },
    async close() {
      const open = [...engines.values()];
      engines.clear();
      await Promise.all(open.map(({ http }) => http.destroy()));
    },
  };
}
