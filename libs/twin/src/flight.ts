import type { CoreRequest, RequestProgress } from '@sluice/engine-model';
import type { Ticket } from '@sluice/flow-control';
import type { WorkerLoad } from '@sluice/latency-model';
import type { Booking } from '@sluice/routing';
import type { SimulatedRequest } from './api.ts';
import type { BlockChain } from './block-chain.ts';
import type { Speculation } from './prefix-view.ts';
import { RequestText } from './request-text.ts';
import type { TextForm } from './request-text.ts';
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
export class Flight implements CoreRequest {
  /** What counts its tokens from the first one on. Touched for every token, so it comes first. */
  decoding: Booking | null = null;
  readonly index: number;
  readonly request: SimulatedRequest;
  /** The one that the client is connected to. */
  readonly router: TwinRouter;
  readonly arrivalMs: number;
  /** Engines that broke its connection before the first token. */
  readonly tried: number[] = [];
  readonly text: RequestText;
  readonly promptTokens: number;
  readonly maxTokens: number;
  dispatch: Dispatch | null = null;
  /** Its turn; null without flow control. */
  ticket: Ticket<Flight> | null = null;
  progress: RequestProgress | null = null;
  firstTokenMs = NaN;
  /** In blocks of the engine that it is in. */
  private chain: BlockChain | null = null;

  constructor(index: number, request: SimulatedRequest, router: TwinRouter, form: TextForm, arrivalMs: number) {
    this.index = index;
    this.request = request;
    this.router = router;
    this.arrivalMs = arrivalMs;
    this.text = new RequestText(request, index, form);
    this.promptTokens = request.promptTokens;
    this.maxTokens = request.outputTokens;
  }

  /** It comes to an engine with blocks of `blockSize` tokens. */
  enter(blockSize: number): void {
    this.chain = this.text.chainOf(blockSize);
  }

  blockKeys(count: number): Int32Array {
    return this.chain!.keys(count);
  }

  /** No output ends before its length. */
  sample(): boolean {
    return false;
  }
}
