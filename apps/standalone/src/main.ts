import { configOrThrow, openSettings, runMain } from '@sluice/nest-kit';
import { parseStandaloneConfig } from './config.ts';
import { startStandalone } from './standalone.ts';

await runMain('standalone', () => {
  const settings = openSettings(process.env);
  return startStandalone(configOrThrow(parseStandaloneConfig(process.env, settings.texts)), settings);
});
