export { parseRouterConfig, routerSettings } from './config.ts';
export type { RouterConfig } from './config.ts';
export { createRouterService } from './router-service.ts';
export type { RouterService } from './router-service.ts';
