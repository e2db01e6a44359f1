import { Pool } from 'undici';
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

/** Kept-alive connections to engines, one undici pool per origin. */
export interface UpstreamPool {
  of(origin: string): Pool;
  /** GET of a small page (metrics, health); never rejects. */
  get(origin: string, path: string, timeoutMs: number): Promise<GetOutcome>;
  /** Closes the pools of origins that are not in `origins`; their requests in flight finish first. */
  retain(origins: ReadonlySet<string>): void;
  /** Closes everything; requests in flight are cut. */
  close(): Promise<void>;
}

/** Below the 5 s after which uvicorn and node:http close an idle connection, so that we never write to a closing one. */
const KEEP_ALIVE_MS = 4000;

export function createUpstreamPool(options: UpstreamPoolOptions): UpstreamPool {
  const pools = new Map<string, Pool>();

  const of = (origin: string): Pool => {
    let pool = pools.get(origin);
    if (pool === undefined) {
      pool = new Pool(origin, {
        connections: options.connections,
        pipelining: 1,
        connectTimeout: options.connectTimeoutMs,
        headersTimeout: options.headersTimeoutMs,
        bodyTimeout: options.silenceTimeoutMs,
        keepAliveTimeout: KEEP_ALIVE_MS,
      });
      pools.set(origin, pool);
    }
    return pool;
  };

  return {
    of,
    get: (origin, path, timeoutMs) =>
      new Promise((resolve) => of(origin).dispatch({ method: 'GET', path }, new PageRead(timeoutMs, resolve))),
    retain(origins) {
      for (const [origin, pool] of pools) {
        if (origins.has(origin)) continue;
        pools.delete(origin);
        void pool.close();
      }
    },
    async close() {
      const open = [...pools.values()];
      pools.clear();
      await Promise.all(open.map((pool) => pool.destroy()));
    },
  };
}
