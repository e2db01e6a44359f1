export { Child } from './child.ts';
export type { ChildExit, ChildOptions } from './child.ts';
export { freePort, freePorts, isPortFree } from './free-port.ts';
export { findProgram } from './program.ts';
export { HOW_TO_GET, startNats, startPrometheus, startRedis } from './servers.ts';
export type { NatsOptions, PrometheusOptions, ServerOptions, ServerProgram } from './servers.ts';
