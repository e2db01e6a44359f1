export { eventBridgeSettings, parseEventBridgeConfig } from './config.ts';
export type { EventBridgeConfig } from './config.ts';
export { createEventBridgeService } from './event-bridge-service.ts';
