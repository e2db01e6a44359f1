export { standaloneSettings } from './config.ts';
