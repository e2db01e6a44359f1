export { startOtlpReceiver } from './testing/otlp-receiver.ts';
export type { OtlpReceiver } from './testing/otlp-receiver.ts';
