export { BusTransport, RespondsTo } from './bus-transport.ts';
export {
  booleanField,
  choiceField,
  choicesField,
  commonFields,
  ConfigError,
  configOrThrow,
  integerField,
  listField,
  numberField,
  parseConfig,
  portField,
  urlField,
} from './config.ts';
export type { Environment, ParsedConfig } from './config.ts';
export { Operation } from './operation.ts';
export type { OperationOptions } from './operation.ts';
export { Problem, ProblemFilter, zodBody } from './problem.ts';
export { runMain } from './run-main.ts';
export type { ProcessHandle } from './run-main.ts';
export { runService, runServices } from './run-service.ts';
export type { AdminOptions, RunServiceOptions, RunServicesOptions } from './run-service.ts';
export type { HostedService } from './platform-routes.ts';
export type { ServiceStatus } from '@sluice/contracts';
export type { RunningService, Service, ServiceContext } from './service.ts';
