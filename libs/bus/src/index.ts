export type {
  Bus,
  BusCounters,
  BusLogger,
  BusState,
  ConsumeOptions,
  DatagramHandler,
  DropListener,
  MessageHandler,
  RequestOptions,
  RequestOutcome,
  StreamFilter,
  StreamHandler,
  Unsubscribe,
} from './bus.ts';
export { createMemoryBus } from './memory-bus.ts';
export type { MemoryBusOptions } from './memory-bus.ts';
export { connectNatsBus } from './nats-bus.ts';
export type { NatsBusOptions } from './nats-bus.ts';
