import type { CoreRequest, RequestProgress } from '@sluice/engine-model';
import type { Ticket } from '@sluice/flow-control';
import type { WorkerLoad } from '@sluice/latency-model';
import type { Booking } from '@sluice/routing';
import type { SimulatedRequest } from '../api.ts';
import type { BlockChain } from '../text/block-chain.ts';
import type { Speculation } from '../prefix/prefix-view.ts';
import { RequestText } from '../text/request-text.ts';
import type { TextForm } from '../text/request-text.ts';
import type { TwinRouter } from '../routers/twin-router.ts';

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

const NONE: readonly number[] = [];

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
  tried: readonly number[] = NONE;
  dispatch: Dispatch | null = null;
  /** Its turn; null without flow control. */
  ticket: Ticket<Flight> | null = null;
  progress: RequestProgress | null = null;
  firstTokenMs = NaN;
  private readonly form: TextForm;
  private ownText: RequestText | null = null;
  /** Of the engine that it is in; its keys are made when the engine first looks at them. */
  private blockSize = 0;
  private chain: BlockChain | null = null;

  constructor(index: number, request: SimulatedRequest, router: TwinRouter, form: TextForm, arrivalMs: number) {
    this.index = index;
    this.request = request;
    this.router = router;
    this.form = form;
    this.arrivalMs = arrivalMs;
  }

  get promptTokens(): number {
    return this.request.promptTokens;
  }

  get maxTokens(): number {
    return this.request.outputTokens;
  }

  get text(): RequestText {
    this.ownText ??= new RequestText(this.request, this.index, this.form);
    return this.ownText;
  }

  /** It comes to an engine with blocks of `blockSize` tokens. */
  enter(blockSize: number): void {
    this.blockSize = blockSize;
    this.chain = null;
  }

  /** Its text is not needed for long; it is made again then. */
  forgetText(): void {
    this.ownText = null;
  }

  blockKeys(count: number): Int32Array {
    this.chain ??= this.text.chainOf(this.blockSize);
    return this.chain.keys(count);
  }
}
