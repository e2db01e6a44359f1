import { configOrThrow, runMain } from '@sluice/nest-kit';
import { parseStandaloneConfig } from './config.ts';
import { startStandalone } from './standalone.ts';

await runMain('standalone', () => startStandalone(configOrThrow(parseStandaloneConfig(process.env))));
