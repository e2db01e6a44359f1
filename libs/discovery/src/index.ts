export { parseFleet } from './parse-fleet.ts';
export type { ParsedFleet, ParseFleetOptions } from './parse-fleet.ts';
export { FleetFileError, staticFleet, watchFleet } from './fleet-source.ts';
export type { FleetSource, WatchFleetOptions } from './fleet-source.ts';
export { openConfigFile, parseConfigFile, settingText } from './config-file.ts';
export type { ConfigFile, ConfigFileContent, SettingTexts } from './config-file.ts';
