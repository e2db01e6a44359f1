import type { ServerResponse } from 'node:http';
import { Controller, Get, Inject, Res } from '@nestjs/common';
import { Operation, Problem } from '@sluice/nest-kit';
import type { LiveStream } from '../live/live-stream.ts';
import { LIVE } from './token.ts';

/** The part of Fastify's reply that is used here. */
interface HijackedReply {
  hijack(): void;
  readonly raw: ServerResponse;
}

/** What happens now, for the console. */
@Controller()
export class LiveController {
  readonly #live: LiveStream;

  constructor(@Inject(LIVE) live: LiveStream) {
    this.#live = live;
  }

  @Get('live')
  @Operation({
    summary: 'Server-sent events: workers, requests and latencies as they are, then what changes, once a second',
    replyType: 'text/event-stream',
  })
  live(@Res() reply: HijackedReply): void {
    if (!this.#live.hasRoom) throw new Problem(503, 'too_many_listeners', 'as many listen as may');
    reply.hijack();
    this.#live.add(reply.raw);
  }
}
