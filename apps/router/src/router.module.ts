import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { ConfigController, configProvider } from '@sluice/nest-kit';
import { DecisionsController } from './admin/decisions.controller.ts';
import { FleetController } from './admin/fleet.controller.ts';
import { LiveController } from './admin/live.controller.ts';
import { QueuesController } from './admin/queues.controller.ts';
import { RequestsController } from './admin/requests.controller.ts';
import { ShadowController } from './admin/shadow.controller.ts';
import { SiblingsController } from './admin/siblings.controller.ts';
import { LIVE, ROUTER } from './admin/token.ts';
import type { LiveStream } from './live/live-stream.ts';
import type { Router } from './router.ts';

@Module({})
export class RouterModule {
  /** The admin API over `router`; the data plane is no part of it. */
  static of(router: Router, live: LiveStream): DynamicModule {
    return {
      module: RouterModule,
      controllers: [
        FleetController,
        DecisionsController,
        RequestsController,
        SiblingsController,
        QueuesController,
        ShadowController,
        LiveController,
        ConfigController,
      ],
      providers: [
        { provide: ROUTER, useFactory: () => router },
        { provide: LIVE, useFactory: () => live },
        configProvider(router.settings),
      ],
    };
  }
}
