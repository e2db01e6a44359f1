export { forward, isRetryable } from './forward.ts';
export type { Forwarding, ForwardOptions, ForwardOutcome, ForwardRequest } from './forward.ts';
export { AnswerTap } from './answer-tap.ts';
export type { TokenListener } from './answer-tap.ts';
export { requestHeaders, responseHeaders } from './headers.ts';
export { createUpstreamPool } from './upstream-pool.ts';
export type { GetOutcome } from './page-read.ts';
export type { UpstreamPool, UpstreamPoolOptions } from './upstream-pool.ts';
export type { EngineError, Usage } from './usage.ts';
