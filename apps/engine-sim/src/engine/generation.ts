import type { EngineRequest, FinishReason, RequestProgress } from '@sluice/engine-model';

/** Told what the engine does for one request. */
export interface GenerationListener {
  /** The request is in the engine's queue. */
  accepted(): void;
  /** A token, at the end of its step; `finished` says why it was the last, or null. */
  token(token: number, finished: FinishReason | null): void;
  /** The engine ends before the request does. */
  engineStopped(): void;
}

/** One request on its way through a rank: what the engine needs, and what metrics want to know about it. */
export interface Generation extends EngineRequest {
  readonly listener: GenerationListener;
  /** `performance.now()` when the HTTP request had arrived. */
  readonly arrivedMs: number;
  /** Output limit that the client asked for, after clamping. */
  readonly maxTokens: number;
  progress: RequestProgress | null;
  /** `performance.now()` of the first and the latest token; null before. */
  firstTokenMs: number | null;
  lastTokenMs: number | null;
  outputTokens: number;
}
