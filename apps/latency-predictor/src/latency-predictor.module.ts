import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { ConfigController, configProvider } from '@sluice/nest-kit';
import type { LiveConfig } from '@sluice/nest-kit';
import type { LatencyPredictorConfig } from './config.ts';
import { LATENCY_PREDICTOR } from './http/token.ts';
import { VariantsController } from './http/variants.controller.ts';
import type { LatencyPredictor } from './latency-predictor.ts';

/** Admin API of the latency-predictor. */
@Module({})
export class LatencyPredictorModule {
  static of(app: LatencyPredictor, config: LiveConfig<LatencyPredictorConfig>): DynamicModule {
    return {
      module: LatencyPredictorModule,
      controllers: [VariantsController, ConfigController],
      providers: [{ provide: LATENCY_PREDICTOR, useFactory: () => app }, configProvider(config)],
    };
  }
}
