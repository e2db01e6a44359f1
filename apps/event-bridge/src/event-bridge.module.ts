import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { ConfigController, configProvider } from '@sluice/nest-kit';
import type { LiveConfig } from '@sluice/nest-kit';
import type { Bridge } from './bridge.ts';
import type { EventBridgeConfig } from './config.ts';
import { BRIDGE, RanksController } from './http/ranks.controller.ts';

@Module({})
export class EventBridgeModule {
  /** The admin API over `bridge`. */
  static of(bridge: Bridge, config: LiveConfig<EventBridgeConfig>): DynamicModule {
    return {
      module: EventBridgeModule,
      controllers: [RanksController, ConfigController],
      providers: [{ provide: BRIDGE, useFactory: () => bridge }, configProvider(config)],
    };
  }
}
