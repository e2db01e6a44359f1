export { ConsoleModule } from './console.module.ts';
export { consoleSettings, parseConsoleConfig } from './config.ts';
export type { ConsoleConfig } from './config.ts';
export { startConsole } from './console-server.ts';
