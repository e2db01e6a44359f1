export { capturedMessages, capturedMetrics, capturedReplays } from './testing/captures.ts';
export type { CapturedMessage, CapturedReplay } from './testing/captures.ts';
