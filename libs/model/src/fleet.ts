import type { PoolId, WorkerId } from './ids.ts';

/** Which leg of a request a worker serves. */
export type Role = 'prefill' | 'decode' | 'both';

/** How to reach one rank's KV event stream. `connect`: the engine binds and we connect; `bind`: the engine connects to us. */
export interface KvEventSource {
  readonly mode: 'connect' | 'bind';
  /** ZMQ address of the PUB stream, `tcp://host:port` or `ipc://path`. */
  readonly endpoint: string;
  /** ZMQ address of the engine's replay ROUTER socket; null when the engine has none. */
  readonly replayEndpoint: string | null;
  /** Subscription prefix; an empty string subscribes to everything. */
  readonly topic: string;
}

export interface WorkerSpec {
  readonly id: WorkerId;
  readonly pool: PoolId;
  /** Workers of one engine process share it; a rank of a data-parallel engine is a worker of its own. */
  readonly engine: string;
  /** Origin of the engine's HTTP server, without a path: `http://host:port`. */
  readonly url: string;
  /** Sent as `X-data-parallel-rank` when the engine has several ranks behind one port, else null. */
  readonly dpRank: number | null;
  readonly role: Role;
  /** Workers of equal hardware and serving configuration share a variant, and so latency parameters. */
  readonly variant: string;
  readonly kvEvents: KvEventSource | null;
}

export interface PoolSpec {
  readonly id: PoolId;
  /** The served model name, and then the names of its LoRA adapters and aliases. Never empty. */
  readonly models: readonly string[];
  /** Which of `models` are LoRA adapters (their KV is not interchangeable with the base model's). */
  readonly loras: readonly string[];
  /** Folder with `tokenizer.json` and a chat template; null: the approximate index is used. */
  readonly tokenizer: string | null;
}

/** What discovery yields: immutable, replaced whole. A larger version is newer. */
export interface Fleet {
  readonly version: number;
  readonly pools: readonly PoolSpec[];
  readonly workers: readonly WorkerSpec[];
}
