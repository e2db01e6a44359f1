import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { ConfigController, configProvider } from '@sluice/nest-kit';
import type { LiveConfig } from '@sluice/nest-kit';
import type { ChatRenderer } from './chat-renderer.ts';
import type { KvIndexConfig } from './config.ts';
import { IndexController } from './http/index.controller.ts';
import { IndexResponder } from './http/index.responder.ts';
import { CHAT_RENDERER, INDEX_METRICS, KV_INDEX } from './http/token.ts';
import type { IndexMetrics } from './metrics.ts';
import type { KvIndex } from './state/kv-index.ts';

/** Admin API and bus responders of the kv-index. */
@Module({})
export class KvIndexModule {
  static of(
    index: KvIndex,
    renderer: ChatRenderer,
    metrics: IndexMetrics,
    config: LiveConfig<KvIndexConfig>,
  ): DynamicModule {
    return {
      module: KvIndexModule,
      controllers: [IndexController, IndexResponder, ConfigController],
      providers: [
        { provide: KV_INDEX, useFactory: () => index },
        { provide: CHAT_RENDERER, useFactory: () => renderer },
        { provide: INDEX_METRICS, useFactory: () => metrics },
        configProvider(config),
      ],
    };
  }
}
