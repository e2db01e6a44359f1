export { chatEvents, startFakeEngine, streamPieces, tick, until } from './testing/fake-engine.ts';
export type { Behaviour, FakeEngine, Received } from './testing/fake-engine.ts';
