import type { EngineRequest, RequestProgress } from '@sluice/engine-model';
import type { WorkerLoad } from '@sluice/latency-model';
import type { Booking } from '@sluice/routing';
import type { SimulatedRequest } from './api.ts';
import type { Speculation } from './prefix-view.ts';
import { outputToken, promptTokensOf } from './prompt-tokens.ts';
import type { TwinRouter } from './twin-router.ts';

/** What the router decided for a request, and what it holds open until the request ends. */
export interface Dispatch {
  readonly row: number;
  readonly atMs: number;
  readonly cachedTokens: number;
  readonly booking: Booking;
  /** Null where no prefix index is kept. */
  readonly speculation: Speculation | null;
  /** State of the worker at dispatch; null where nothing is learned from it. */
  readonly load: WorkerLoad | null;
}

/** A request on its way; also what the engine model is given. */
export class Flight implements EngineRequest {
  readonly index: number;
  readonly request: SimulatedRequest;
  /** The one that the client is connected to. */
  readonly router: TwinRouter;
  /** Engines that broke its connection before the first token. */
  readonly tried: number[] = [];
  readonly promptTokens: Uint32Array;
  /** The prompt as the router sees it. */
  readonly prompt: Uint8Array;
  readonly stopToken = null;
  readonly loraName = null;
  readonly cacheSalt = null;
  dispatch: Dispatch | null = null;
  progress: RequestProgress | null = null;
  firstTokenMs = NaN;

  constructor(index: number, request: SimulatedRequest, router: TwinRouter) {
    this.index = index;
    this.request = request;
    this.router = router;
    this.promptTokens = promptTokensOf(request, index);
    this.prompt = new Uint8Array(this.promptTokens.buffer);
  }

  get maxTokens(): number {
    return this.request.outputTokens;
  }

  nextToken(position: number): number {
    return outputToken(this.index, position);
  }
}
