export { BusTransport, RespondsTo } from './bus-transport.ts';
export type { SettingTexts } from '@sluice/discovery';
export { adminTokensOf } from './admin/admin-tokens.ts';
export type { AdminTokenSettings } from './admin/admin-tokens.ts';
export { adminFields, commonFields, ConfigError, configOrThrow, parseConfig } from './config.ts';
export type { Environment, ParsedConfig } from './config.ts';
export {
  booleanField,
  choiceField,
  choicesField,
  integerField,
  listField,
  numberField,
  portField,
  textField,
  urlField,
} from './fields.ts';
export { ConfigController, configProvider, refuseUnlessInForce } from './live-config/config.controller.ts';
export { LiveConfig } from './live-config/live-config.ts';
export type { LiveConfigOptions } from './live-config/live-config.ts';
export { openSettings } from './live-config/open-settings.ts';
export type { GivenSettings } from './live-config/open-settings.ts';
export { Operation } from './operation.ts';
export type { Access, OperationOptions } from './operation.ts';
export { Problem, ProblemFilter, zodBody } from './problem.ts';
export { describeSettings, liveSetting, setting } from './setting.ts';
export type { Reload, SettingDescription } from './setting.ts';
export { runMain } from './run-main.ts';
export type { ProcessHandle } from './run-main.ts';
export { runService, runServices } from './run-service.ts';
export type { AdminOptions, RunServiceOptions, RunServicesOptions } from './run-service.ts';
export type { HostedService } from './platform-routes.ts';
export type { ServiceStatus } from '@sluice/contracts';
export type { RunningAdmin, RunningService, Service, ServiceContext } from './service.ts';
