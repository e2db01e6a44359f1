import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import type { Bridge } from './bridge.ts';
import { BRIDGE, RanksController } from './http/ranks.controller.ts';

@Module({})
export class EventBridgeModule {
  /** The admin API over `bridge`. */
  static of(bridge: Bridge): DynamicModule {
    return {
      module: EventBridgeModule,
      controllers: [RanksController],
      providers: [{ provide: BRIDGE, useFactory: () => bridge }],
    };
  }
}
