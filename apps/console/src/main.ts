import { configOrThrow, runMain } from '@sluice/nest-kit';
import { createLogger } from '@sluice/telemetry';
import { parseConsoleConfig } from './config.ts';
import { startConsole } from './console-server.ts';

await runMain('console', () => {
  const config = configOrThrow(parseConsoleConfig(process.env));
  return startConsole(config, createLogger({ service: 'console', level: config.logLevel }));
});
