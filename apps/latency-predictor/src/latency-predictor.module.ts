import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { LATENCY_PREDICTOR } from './http/token.ts';
import { VariantsController } from './http/variants.controller.ts';
import type { LatencyPredictor } from './latency-predictor.ts';

/** Admin API of the latency-predictor. */
@Module({})
export class LatencyPredictorModule {
  static of(app: LatencyPredictor): DynamicModule {
    return {
      module: LatencyPredictorModule,
      controllers: [VariantsController],
      providers: [{ provide: LATENCY_PREDICTOR, useFactory: () => app }],
    };
  }
}
